//! Orders: making, reading, listing, changing and moving them.

use crate::support::{Service, order_of};

#[tokio::test]
async fn an_order_is_there_after_a_restart() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let order = ada.post("/v1/orders", order_of(&[("tea", 2, 1250)])).key("k1").await.created();
    assert_eq!(order["total_amount"], 2500);
    service.reopen().await;
    let again = ada.get(order.header("location")).await.ok();
    assert_eq!(again.json(), order.json());
    service.other_customer().await.get(order.header("location")).await.status(404).problem("not_found");
}
