//! The document of a new order, rendered before its number and its time are known. Only the writer's thread knows
//! these, and every order waits for that thread: it puts them into a text that is ready otherwise.

use crate::{
    domain::{order::Order, time::Timestamp},
    error::{Error, Result},
    service::views::OrderView,
};

/// What stands in the text in place of the number.
const NO_NUMBER: &str = "\"number\":null";
/// The first of the members with a time. Behind it is no text of a client.
const TIMES: &str = "\"created_at\":";

/// The document of an order that has neither number nor time yet.
pub(super) struct PreparedDocument {
    /// The text up to the number.
    before_number: String,
    /// The text between the number and the times.
    before_times: String,
    /// The text from the first time on.
    times: String,
    /// How the times in it are written now.
    unset_time: String,
}

impl PreparedDocument {
    /// The document of `order`, which has no number, and one time in place of each that it will have.
    pub(super) fn of(order: &Order) -> Result<Self> {
        let mut text = serde_json::to_string(&OrderView::from(order).impersonal()).map_err(Error::internal)?;
        let damage = || Error::internal("a document of another form");
        // The last one: metadata may contain the same text. The first one: only the identifier is in front of it.
        let times = text.split_off(text.rfind(TIMES).ok_or_else(damage)?);
        let number = text.find(NO_NUMBER).ok_or_else(damage)? + NO_NUMBER.len();
        let before_times = text.split_off(number);
        text.truncate(number - "null".len());
        Ok(Self { before_number: text, before_times, times, unset_time: order.created_at.to_string() })
    }

    /// The document of an order with this number, if it is placed, that was created at `at`.
    pub(super) fn filled(&self, number: Option<i64>, at: Timestamp) -> String {
        let number = number.map_or_else(|| "null".to_owned(), |number| number.to_string());
        let times = self.times.replace(&self.unset_time, &at.to_string());
        [&self.before_number, &number, &self.before_times, &times].map(String::as_str).concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        id::Ids,
        money::Currency,
        order::{OrderDraft, OrderStatus},
        pricing::{Cart, Line, Tax, price},
    };
    use crate::{
        auth::Actor,
        service::orders::{NewOrder, Owner, create::assemble},
    };

    fn order(status: OrderStatus) -> Order {
        let text = "\"number\":null,\"created_at\":\"1970-01-01T00:00:00.000Z\"".to_owned();
        let line = Line {
            sku: text.clone(),
            name: text.clone(),
            quantity: 2,
            unit_amount: 5,
            discount_amount: 0,
            tax: Tax::Amount(0),
        };
        let lines = vec![line];
        let cart = Cart { prices_include_tax: false, lines: &lines, fees: &[], order_discount: 0 };
        let draft = OrderDraft {
            currency: Currency::parse("EUR").unwrap(),
            prices_include_tax: false,
            priced: price(&cart).unwrap(),
            lines,
            fees: vec![],
            order_discount_amount: 0,
            external_ref: Some(text.clone()),
            customer: None,
            note: Some(text.clone()),
            metadata: [("created_at".to_owned(), "1970-01-01T00:00:00.000Z".to_owned()), (text.clone(), text)].into(),
        };
        let new = NewOrder { draft, owner: Owner::Caller, status };
        assemble(&Ids::seeded(1), Timestamp::from_millis(0), &Actor::system("test"), None, new)
    }

    #[test]
    fn a_filled_document_is_that_of_the_placed_order() {
        let at = Timestamp::from_millis(1_795_823_990_123);
        for (status, number, placed_at) in
            [(OrderStatus::Pending, Some(1_234_567), Some(at)), (OrderStatus::Draft, None, None)]
        {
            let prepared = order(status);
            let filled = PreparedDocument::of(&prepared).unwrap().filled(number, at);
            let placed = Order { number, placed_at, created_at: at, updated_at: at, ..prepared };
            assert_eq!(filled, serde_json::to_string(&OrderView::from(&placed).impersonal()).unwrap());
        }
    }
}
