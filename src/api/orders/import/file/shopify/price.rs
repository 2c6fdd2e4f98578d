//! The items, fees, discounts and taxes of an order, so that they come to the total that the shop charged. The export
//! names the taxes of the whole order; which of them is whose is found by trial: the rates that it names are taken if
//! they come to the same tax, otherwise the tax is shared among the items by amount, without a rate.

use super::{Cells, MAX_NAME, MAX_WORD, Row, cut, money::rate_in};
use crate::domain::{
    money::{TaxRate, allocate},
    pricing::{Cart, Fee, Line, Tax, price},
};
use serde_json::{Map, Value, json};

/// The taxes that an order can name.
const TAXES: [(&str, &str); 5] = [
    ("tax 1 name", "tax 1 value"),
    ("tax 2 name", "tax 2 value"),
    ("tax 3 name", "tax 3 value"),
    ("tax 4 name", "tax 4 value"),
    ("tax 5 name", "tax 5 value"),
];

/// What the shop charged.
struct Charged {
    subtotal: i64,
    shipping: i64,
    taxes: i64,
    duties: i64,
    discount: i64,
    total: i64,
}

impl Charged {
    fn of(first: Row<'_>, cells: &mut Cells) -> Self {
        let mut amount = |column| cells.amount(first, column);
        Self {
            subtotal: amount("subtotal"),
            shipping: amount("shipping"),
            taxes: amount("taxes"),
            duties: amount("duties"),
            discount: amount("discount amount"),
            total: amount("total"),
        }
    }

    /// The total without taxes that are added to it.
    fn before_tax(&self) -> i64 {
        self.subtotal + self.shipping + self.duties
    }

    /// Whether the prices include the tax: the total has no place for it beside them, unless a discount on shipping,
    /// which is taken off the total but not off the shipping, makes the difference.
    fn includes_tax(&self) -> bool {
        let missing = self.before_tax() + self.taxes - self.total;
        let is_shipping_discount = missing <= self.shipping.min(self.discount);
        self.taxes > 0 && missing > 0 && (self.total == self.before_tax() || !is_shipping_discount)
    }
}

/// The items, with whether each is taxed.
struct Lines {
    lines: Vec<Line>,
    taxable: Vec<bool>,
}

/// The members of the order that its price depends on.
pub(super) fn of(rows: &[Row<'_>], cells: &mut Cells) -> Map<String, Value> {
    let Some(first) = rows.first().copied() else { return Map::new() };
    let charged = Charged::of(first, cells);
    let mut items = lines(rows, cells);
    if items.lines.is_empty() && cells.faults.is_empty() {
        cells.fault("lineitem quantity", "must be 1 or more in one of the rows of the order");
    }
    let Some(order_discount) = discount(&mut items, &charged, cells) else { return Map::new() };
    let prices_include_tax = charged.includes_tax();
    let Some(fees) = fees(first, &charged, prices_include_tax, cells) else { return Map::new() };
    let has_shipping = fees.first().is_some_and(|(kind, _)| *kind == FeeKind::Shipping);
    let fees = fees.into_iter().map(|(_, fee)| fee).collect();
    let mut order = Basket { items, fees, has_shipping, order_discount, prices_include_tax };
    order.tax(&rates(first), charged.taxes, cells);
    let mut members = order.members();
    members.insert("total_amount".to_owned(), charged.total.into());
    members.insert("tax_amount".to_owned(), charged.taxes.into());
    members
}

fn lines(rows: &[Row<'_>], cells: &mut Cells) -> Lines {
    let mut found = Lines { lines: vec![], taxable: vec![] };
    for &row in rows {
        let quantity = match row.get("lineitem quantity") {
            "" => 0,
            text => text.parse().unwrap_or(-1),
        };
        if quantity < 0 {
            cells.fault("lineitem quantity", "must be a whole number");
        }
        // Items that were taken off the order stay in the export without a quantity.
        if quantity <= 0 {
            continue;
        }
        let name = row.some("lineitem name").unwrap_or("Item");
        let sku = row.some("lineitem sku").map_or_else(|| cut(name, MAX_WORD), str::to_owned);
        found.lines.push(Line {
            sku,
            name: cut(name, MAX_NAME),
            quantity,
            unit_amount: cells.amount(row, "lineitem price"),
            discount_amount: cells.amount(row, "lineitem discount"),
            tax: Tax::Amount(0),
        });
        found.taxable.push(!row.get("lineitem taxable").eq_ignore_ascii_case("false"));
    }
    found
}

/// The discount on the whole order: what the items come to beyond the subtotal.
fn discount(items: &mut Lines, charged: &Charged, cells: &mut Cells) -> Option<i64> {
    let gross: i128 = items.lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_amount)).sum();
    let on_lines: i128 = items.lines.iter().map(|line| i128::from(line.discount_amount)).sum();
    let subtotal = i128::from(charged.subtotal);
    if gross < subtotal {
        cells.fault("subtotal", "must be at most the sum of the items");
        return None;
    }
    if gross - on_lines < subtotal {
        // The discounts of the items are part of the price already.
        items.lines.iter_mut().for_each(|line| line.discount_amount = 0);
        return i64::try_from(gross - subtotal).ok();
    }
    i64::try_from(gross - on_lines - subtotal).ok()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FeeKind {
    Shipping,
    /// Nobody taxes tips and duties.
    Other,
}

/// The fees of an order: shipping, duties, and the rest of the total, such as a tip.
fn fees(first: Row<'_>, charged: &Charged, prices_include_tax: bool, cells: &mut Cells) -> Option<Vec<(FeeKind, Fee)>> {
    let taxes = if prices_include_tax { 0 } else { charged.taxes };
    let rest = charged.total - charged.before_tax() - taxes;
    let shipping = charged.shipping + rest.min(0);
    if shipping < 0 {
        cells.fault("total", "must be at least the subtotal with taxes and duties");
        return None;
    }
    let method = first.some("shipping method").map_or_else(|| "Shipping".to_owned(), |name| cut(name, MAX_NAME));
    let all = [
        (FeeKind::Shipping, method, shipping),
        (FeeKind::Other, "Duties".to_owned(), charged.duties),
        (FeeKind::Other, "Tip".to_owned(), rest.max(0)),
    ];
    let charged = all.into_iter().filter(|(.., amount)| *amount > 0);
    Some(charged.map(|(kind, name, amount)| (kind, Fee { name, amount, tax: Tax::Amount(0) })).collect())
}

/// The rates that the order names: all together first, as those of a state and a county are, then each.
fn rates(first: Row<'_>) -> Vec<TaxRate> {
    let parts: Vec<_> = TAXES.iter().filter_map(|(name, _)| first.some(name).and_then(rate_in)).collect();
    let together = (parts.len() > 1).then(|| parts.iter().sum());
    together.into_iter().chain(parts).filter_map(TaxRate::from_parts).collect()
}

struct Basket {
    items: Lines,
    fees: Vec<Fee>,
    /// Whether the first fee is shipping.
    has_shipping: bool,
    order_discount: i64,
    prices_include_tax: bool,
}

impl Basket {
    /// Finds the tax of each item and fee, so that together they come to `taxes`.
    fn tax(&mut self, rates: &[TaxRate], taxes: i64, cells: &mut Cells) {
        if taxes == 0 {
            return;
        }
        for rate in rates {
            for is_fee_taxed in [true, false] {
                self.set_rate(*rate, is_fee_taxed);
                if self.total_tax() == Some(taxes) {
                    return;
                }
            }
        }
        self.share(taxes, cells);
    }

    fn set_rate(&mut self, rate: TaxRate, is_fee_taxed: bool) {
        for (line, is_taxed) in self.items.lines.iter_mut().zip(&self.items.taxable) {
            line.tax = if *is_taxed { Tax::Rate(rate) } else { Tax::Amount(0) };
        }
        for fee in self.fees.iter_mut().take(usize::from(self.has_shipping)) {
            fee.tax = if is_fee_taxed { Tax::Rate(rate) } else { Tax::Amount(0) };
        }
    }

    fn total_tax(&self) -> Option<i64> {
        price(&self.cart()).ok().map(|priced| priced.totals.tax)
    }

    fn cart(&self) -> Cart<'_> {
        Cart {
            prices_include_tax: self.prices_include_tax,
            lines: &self.items.lines,
            fees: &self.fees,
            order_discount: self.order_discount,
        }
    }

    /// Shares the tax among the items that are taxed, by what each comes to. If these cannot bear it, all items and
    /// fees do.
    fn share(&mut self, taxes: i64, cells: &mut Cells) {
        self.items.lines.iter_mut().for_each(|line| line.tax = Tax::Amount(0));
        self.fees.iter_mut().for_each(|fee| fee.tax = Tax::Amount(0));
        let Ok(untaxed) = price(&self.cart()) else { return };
        let of_lines = untaxed.lines.iter().map(|line| line.total_amount);
        let of_fees = untaxed.fees.iter().map(|fee| fee.total_amount);
        let all: Vec<i64> = of_lines.chain(of_fees).collect();
        let is_taxed = self.items.taxable.iter().copied().chain(std::iter::repeat(false));
        let taxed: Vec<i64> =
            all.iter().zip(is_taxed).map(|(amount, is_taxed)| if is_taxed { *amount } else { 0 }).collect();
        let Some(weights) = [taxed, all].into_iter().find(|weights| weights.iter().sum::<i64>() >= taxes) else {
            cells.fault("taxes", "must be at most what is taxed");
            return;
        };
        let shares = allocate(taxes, &weights);
        let lines = self.items.lines.iter_mut().map(|line| &mut line.tax);
        let parts = lines.chain(self.fees.iter_mut().map(|fee| &mut fee.tax));
        parts.zip(shares).for_each(|(tax, share)| *tax = Tax::Amount(share));
    }

    fn members(self) -> Map<String, Value> {
        let tax = |tax: Tax| match tax {
            Tax::Rate(rate) => ("tax_rate", Value::from(rate.to_string())),
            Tax::Amount(amount) => ("tax_amount", amount.into()),
        };
        let item = |line: Line| {
            let mut item = json!({
                "sku": line.sku, "name": line.name, "quantity": line.quantity, "unit_amount": line.unit_amount,
                "discount_amount": line.discount_amount,
            });
            let (name, value) = tax(line.tax);
            item[name] = value;
            item
        };
        let fee = |fee: Fee| {
            let mut document = json!({"name": fee.name, "amount": fee.amount});
            let (name, value) = tax(fee.tax);
            document[name] = value;
            document
        };
        let members = json!({
            "prices_include_tax": self.prices_include_tax,
            "order_discount_amount": self.order_discount,
            "items": self.items.lines.into_iter().map(item).collect::<Vec<_>>(),
            "fees": self.fees.into_iter().map(fee).collect::<Vec<_>>(),
        });
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}
