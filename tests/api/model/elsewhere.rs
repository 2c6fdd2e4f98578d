//! The same against executables on a journal behind a load balancer, each of which is killed again and again:
//! `.ci/model.py` starts and kills them.

use super::{
    agrees,
    figures::Range,
    people, size,
    world::{Awaited, Expect, World, assert_contains},
};
use crate::support::{Answer, Client, Service};
use futures_util::future::join_all;
use orderd::domain::time::{Clock, Timestamp};
use std::time::Duration;

/// What the script tells.
#[allow(clippy::disallowed_methods, reason = "the script tells it")]
fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is missing: run .ci/model.py"))
}

/// `ORDERD_MODEL_AT` names the addresses, that of the load balancer first, and `ORDERD_MODEL_SETUP` is the set-up
/// token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs executables that somebody kills: .ci/model.py"]
async fn executables_that_are_killed_agree_with_the_model() {
    let (requests, seed) = size();
    let (addresses, token) = (told("ORDERD_MODEL_AT"), told("ORDERD_MODEL_SETUP"));
    let (balancer, processes) = addresses.split_once(' ').expect("two addresses");
    let (service, there) = Service::elsewhere(balancer, &token);
    let clock = Clock::system();
    let mut world = World::new(seed, people(&service).await, clock.now().millis());
    let (begun, manager) = (world.now, service.manager().await);
    // From now on processes are killed.
    println!("model: begun");
    let (mut done, mut replayed) = (0, 0);
    while done < requests {
        // No request has been answered in this millisecond: the moments of the model tell answers apart.
        tokio::time::sleep(Duration::from_millis(2)).await;
        world.now = clock.now().millis();
        let (calls, awaited) = world.batch();
        let answers = join_all(calls.into_iter().map(IntoFuture::into_future)).await;
        let received = clock.now().millis();
        for (mut awaited, answer) in awaited.into_iter().zip(answers) {
            learn(&mut world, &mut awaited, &answer, received, &manager).await;
            let is_again = matches!(awaited.expect, Expect::SameAs(_));
            replayed += u64::from(!is_again && answer.maybe_header("idempotent-replayed").is_some());
            world.check(awaited, &answer);
            done += 1;
        }
    }
    let counts = there.counts();
    println!(
        "model: {done} requests, {} orders; sent again {} times; {} had taken effect when they were sent again; longest wait {:.1} s",
        world.orders.len(),
        counts.repeats,
        replayed + counts.settled,
        counts.longest_wait.as_secs_f64()
    );
    let days = [(-5, 3), (-2, 0), (0, 0)].map(|(from, to)| Range::around(begun, from, to));
    for address in processes.split(' ') {
        let manager = Service::elsewhere(address, &token).0.anonymous().bearing(manager.token());
        agrees(&manager, &world.orders, &days).await;
        println!("model: {address} agrees");
    }
}

/// The executables have a clock of their own. So if the answer is about a change, its moment is read from the order,
/// which has to be as the model has it: what one process has acknowledged, each shows at the next request.
async fn learn(world: &mut World, awaited: &mut Awaited, answer: &Answer, received: i64, reader: &Client) {
    let (Expect::Order { order: index, .. } | Expect::Money { order: index, .. }) = &awaited.expect else { return };
    let (assumed, order) = (world.now, &mut world.orders[*index]);
    if order.updated != assumed || answer.code() >= 300 {
        return;
    }
    let id = if order.id.is_empty() { answer.id() } else { order.id.clone() };
    let found = reader.get(&format!("/v1/orders/{id}")).await.ok();
    let at = Timestamp::parse(found["updated_at"].as_str().unwrap()).unwrap().millis();
    assert!((assumed..=received).contains(&at), "changed between {assumed} and {received}: {found}");
    order.happened(assumed, at);
    assert_contains(found.json(), &order.document(), &format!("{}\n{found}", awaited.description));
    match &mut awaited.expect {
        Expect::Order { document, .. } => *document = order.document(),
        Expect::Money { money, document, .. } => *document = order.transaction_document(*money),
        Expect::Refused(_) | Expect::SameAs(_) => {}
    }
}
