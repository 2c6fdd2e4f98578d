//! Creating an order.

use super::{
    super::{
        history::{self, Recorded},
        idempotency::{Effect, IdempotentRequest},
    },
    Access,
    prepared::PreparedDocument,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        event::EventType,
        id::{Ids, UserId},
        order::{Order, OrderDraft, OrderStatus},
        outcome::{Outcome, Resource},
        permission::Permission,
        pricing::Totals,
        time::Timestamp,
        transaction::PaymentStatus,
    },
    error::{Error, Fault, Field, Result, problem},
    store::{WriteTx, orders, users},
};

/// Whose order it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The caller's; nobody's if that is an API key.
    #[default]
    Caller,
    /// This user's.
    User(UserId),
    /// This user's, or nobody's if there is no such user here: the order comes from another database.
    UserIfKnown(UserId),
    /// Nobody's.
    Nobody,
}

impl Owner {
    /// The user that it names.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) | Self::UserIfKnown(user) => Some(user),
            Self::Caller | Self::Nobody => None,
        }
    }
}

/// An order to be created.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Its contents.
    pub draft: OrderDraft,
    /// Whose it is.
    pub owner: Owner,
    /// Its first status: draft or pending.
    pub status: OrderStatus,
}

/// Creates an order. The same key always yields the same order.
///
/// # Errors
/// `FORBIDDEN` if the actor may not create orders for this owner; `VALIDATION_FAILED` if the owner does not exist;
/// `DUPLICATE_EXTERNAL_REF`; those of [`IdempotentRequest::run`].
pub async fn create(app: &App, actor: Actor, request: IdempotentRequest, new: NewOrder) -> Result<Effect> {
    let owner = owner(&actor, new.owner)?;
    let prepared = PreparedOrder::of(&app.ids, app.clock.now(), &actor, owner, new)?;
    app.store
        .write("orders.create", move |tx| {
            request.run(tx, &actor, || {
                let Inserted { order, event } = insert_prepared(tx, &actor, &prepared)?;
                let created = Outcome::Created(Resource::Order(order.id));
                Ok(Effect::of_event(created, event).at_version(order.version))
            })
        })
        .await
}

/// The owner of an order that `actor` creates. To create one for somebody else takes `orders:create`. Who lacks it
/// creates orders of their own, whether they name nobody or leave the owner out.
pub(super) fn owner(actor: &Actor, wanted: Owner) -> Result<Option<UserId>> {
    match wanted {
        Owner::Nobody if actor.may(Permission::OrdersCreate) => Ok(None),
        Owner::Caller | Owner::Nobody => Ok(actor.user_id()),
        Owner::User(user) | Owner::UserIfKnown(user) => {
            if actor.user_id() != Some(user) {
                actor.require(Permission::OrdersCreate)?;
            }
            Ok(Some(user))
        }
    }
}

/// An order that was inserted, and the event that records it.
pub(in crate::service) struct Inserted {
    pub(in crate::service) order: Order,
    event: Recorded,
}

/// Inserts an order and records the event.
pub(in crate::service) fn insert(
    tx: &WriteTx<'_>,
    actor: &Actor,
    owner: Option<UserId>,
    new: &NewOrder,
) -> Result<Inserted> {
    insert_prepared(tx, actor, &PreparedOrder::of(tx.ids(), tx.now(), actor, owner, new.clone())?)
}

/// An order that is ready but for its row, its number and its time, which only the writer knows. All orders wait for
/// the writer's one thread, so what others can do is done before.
struct PreparedOrder {
    order: Order,
    document: PreparedDocument,
}

impl PreparedOrder {
    fn of(ids: &Ids, at: Timestamp, actor: &Actor, owner: Option<UserId>, new: NewOrder) -> Result<Self> {
        let order = assemble(ids, at, actor, owner, new);
        Ok(Self { document: PreparedDocument::of(&order)?, order })
    }
}

fn insert_prepared(tx: &WriteTx<'_>, actor: &Actor, prepared: &PreparedOrder) -> Result<Inserted> {
    let mut order = prepared.order.clone();
    refuse_unknown_owner_and_known_reference(tx, actor, &order)?;
    order.seq = orders::next_seq(tx);
    (order.created_at, order.updated_at) = (tx.now(), tx.now());
    if order.status == OrderStatus::Pending {
        order.number = Some(orders::next_number(tx)?);
        order.placed_at = Some(tx.now());
    }
    orders::insert(tx, &mut order)?;
    let document = prepared.document.filled(order.number, order.created_at);
    let event = history::record_text(tx, actor, EventType::OrderCreated, &order, document, order.personal)?;
    Ok(Inserted { order, event })
}

/// Refuses an order of a user who does not exist, and a reference that another order has.
pub(super) fn refuse_unknown_owner_and_known_reference(tx: &WriteTx<'_>, actor: &Actor, order: &Order) -> Result<()> {
    // The actor's own user needs no check: users are never deleted.
    if let Some(user) = order.user_id
        && order.user_id != actor.user_id()
        && !users::is_known(tx, user)?
    {
        return Err(Error::invalid(vec![Fault::new(Field::UserId, "unknown", "must be an existing user")]));
    }
    if let Some(reference) = &order.external_ref
        && let Some(existing) = orders::by_external_ref(tx, reference)?
    {
        return Err(duplicate_reference(actor, &existing));
    }
    Ok(())
}

/// The error for a reference that `existing` has already. It names that order only to those who may read it.
pub(super) fn duplicate_reference(actor: &Actor, existing: &Order) -> Error {
    let error = Error::new(&problem::DUPLICATE_EXTERNAL_REF);
    if Access::READ.allows(actor, existing.user_id) {
        error.member("existing_order_id", existing.id.to_string())
    } else {
        error
    }
}

/// The order as it will be inserted, but for its row and its number. Its times are `at` for now.
pub(super) fn assemble(ids: &Ids, at: Timestamp, actor: &Actor, owner: Option<UserId>, new: NewOrder) -> Order {
    let draft = new.draft;
    let mut order = Order {
        seq: 0,
        id: ids.next(at),
        number: None,
        status: new.status,
        payment_status: PaymentStatus::Unpaid,
        currency: draft.currency,
        user_id: owner,
        external_ref: draft.external_ref,
        prices_include_tax: draft.prices_include_tax,
        items: vec![],
        fees: vec![],
        taxes: vec![],
        order_discount_amount: draft.order_discount_amount,
        totals: Totals::default(),
        paid_amount: 0,
        refunded_amount: 0,
        credited_amount: 0,
        credited_tax_amount: 0,
        customer: draft.customer,
        note: draft.note,
        metadata: draft.metadata,
        version: 1,
        created_by: actor.principal.to_string(),
        created_at: at,
        updated_at: at,
        placed_at: (new.status == OrderStatus::Pending).then_some(at),
        confirmed_at: None,
        fulfilled_at: None,
        cancelled_at: None,
        cancel_reason: None,
        personal: None,
    };
    let items = draft.lines.into_iter().map(|line| (ids.next(at), line)).collect();
    order.set_price(items, draft.fees, &draft.priced);
    order
}
