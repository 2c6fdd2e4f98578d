//! Demo orders: markets with their currencies and taxes, a catalogue of goods, and the contents of an order.

use crate::{
    domain::{
        id::UserId,
        money::{Currency, TaxRate},
        order::{Customer, OrderDraft, OrderStatus},
        pricing::{Cart, Fee, Line, Tax, price},
    },
    error::{Error, Result},
    service::orders::{NewOrder, Owner},
};
use std::collections::BTreeMap;

/// A country that orders come from.
pub(super) struct Market {
    currency: Currency,
    /// Whether its prices include tax.
    prices_include_tax: bool,
    rate: TaxRate,
    /// Minor units of its currency for a hundred cents in the catalogue.
    factor: i64,
    /// The fee for shipping, in minor units.
    shipping: i64,
    /// Hours ahead of UTC.
    pub(super) offset_hours: i64,
}

/// The index in [`markets`] of each tenth of the orders.
pub(super) const SHARES: [usize; 10] = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2];

pub(super) fn markets() -> Result<Vec<Market>> {
    let described =
        [("EUR", true, "19", 100, 499, 1), ("USD", false, "8.875", 110, 599, -6), ("JPY", true, "10", 160, 800, 9)];
    let market = |(code, prices_include_tax, rate, factor, shipping, offset_hours)| {
        let (currency, rate) = (Currency::parse(code), TaxRate::parse(rate));
        let (currency, rate) = currency.zip(rate).ok_or_else(|| Error::internal("a demo market"))?;
        Ok(Market { currency, prices_include_tax, rate, factor, shipping, offset_hours })
    };
    described.into_iter().map(market).collect()
}

/// Goods sold by weight: SKU, name, and price of 250 g in cents.
const BY_WEIGHT: [(&str, &str, i64); 20] = [
    ("TEA-SEN", "Sencha", 1250),
    ("TEA-ASS", "Assam", 820),
    ("TEA-EGR", "Earl Grey", 990),
    ("COF-ETH", "Yirgacheffe", 1190),
    ("COF-COL", "Huila", 990),
    ("TEA-GYO", "Gyokuro", 3890),
    ("TEA-DAR", "Darjeeling", 1450),
    ("TEA-ROO", "Rooibos", 750),
    ("TEA-OOL", "Oolong", 1690),
    ("COF-DEC", "Decaf", 1090),
    ("TEA-MAT", "Matcha", 4200),
    ("TEA-JAS", "Jasmine", 1120),
    ("COF-KEN", "Nyeri", 1390),
    ("TEA-CEY", "Ceylon", 790),
    ("TEA-PUE", "Pu-erh", 2150),
    ("TEA-PEP", "Peppermint", 640),
    ("COF-SUM", "Sumatra", 1240),
    ("TEA-CHA", "Chai", 880),
    ("TEA-GEN", "Genmaicha", 1010),
    ("COF-BRA", "Santos", 890),
];
/// Their sizes in grams, and the price of each in percent of the price of 250 g.
const SIZES: [(&str, i64); 4] = [("250", 100), ("100", 48), ("500", 185), ("1000", 340)];
/// Goods sold by the piece: SKU, name and price in cents.
const BY_PIECE: [(&str, &str, i64); 12] = [
    ("FIL-PAP", "Paper filters", 490),
    ("CUP-POR", "Porcelain cups", 1890),
    ("POT-GLA", "Glass pot", 2490),
    ("SPO-BAM", "Bamboo spoon", 390),
    ("KET-GOO", "Gooseneck kettle", 5990),
    ("MIL-HAN", "Hand mill", 8900),
    ("POT-IRO", "Cast-iron pot", 6900),
    ("SCA-DIG", "Digital scale", 3490),
    ("WHI-BAM", "Matcha whisk", 2290),
    ("TIN-TEA", "Tea tin", 1150),
    ("DRI-POU", "Pour-over dripper", 1990),
    ("CAR-GLA", "Glass carafe", 2790),
];
/// Their colours.
const COLOURS: [&str; 5] = ["black", "white", "blue", "green", "red"];

/// The customer of an order.
pub(super) enum Buyer {
    /// A customer with an account. The order names them too, as shops do.
    Account(UserId, Customer),
    /// A guest who gives a name.
    Guest(Customer),
}

/// A random order of `buyer`.
pub(super) fn order(random: &mut fastrand::Rng, market: &Market, buyer: Buyer) -> Result<NewOrder> {
    let count = 1 + [54, 81, 93].iter().filter(|&&most| random.u8(0..100) >= most).count();
    let lines: Vec<Line> = (0..count).map(|_| line(random, market)).collect();
    let goods: i64 = lines.iter().map(|line| line.quantity * line.unit_amount - line.discount_amount).sum();
    let free_shipping = goods > 10 * market.shipping;
    let fees = if free_shipping {
        vec![]
    } else {
        vec![Fee { name: "Shipping".into(), amount: market.shipping, tax: Tax::Rate(market.rate) }]
    };
    let voucher = if random.u8(0..100) < 6 { goods / 20 } else { 0 };
    let prices_include_tax = market.prices_include_tax;
    let cart = Cart { prices_include_tax, lines: &lines, fees: &fees, order_discount: voucher };
    let priced = price(&cart).map_err(Error::invalid)?;
    let channel = ["web", "web", "app", "shop", "phone"][random.usize(0..5)];
    let (owner, customer) = match buyer {
        Buyer::Account(id, customer) => (Owner::User(id), customer),
        Buyer::Guest(customer) => (Owner::Nobody, customer),
    };
    Ok(NewOrder {
        draft: OrderDraft {
            currency: market.currency,
            prices_include_tax,
            lines,
            fees,
            order_discount_amount: voucher,
            priced,
            external_ref: None,
            customer: Some(customer),
            note: None,
            metadata: BTreeMap::from([("channel".to_owned(), channel.to_owned())]),
        },
        owner,
        status: OrderStatus::Pending,
    })
}

fn line(random: &mut fastrand::Rng, market: &Market) -> Line {
    let (sku, name, cents) = if random.u8(0..10) < 7 {
        let (sku, name, cents) = BY_WEIGHT[favourite(random, BY_WEIGHT.len())];
        let (grams, percent) = SIZES[favourite(random, SIZES.len())];
        (format!("{sku}-{grams}"), format!("{name} {grams} g"), cents * percent / 100)
    } else {
        let (sku, name, cents) = BY_PIECE[favourite(random, BY_PIECE.len())];
        let colour = COLOURS[favourite(random, COLOURS.len())];
        (format!("{sku}-{colour}").to_uppercase(), format!("{name}, {colour}"), cents)
    };
    let unit_amount = cents * market.factor / 100;
    let quantity = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3][random.usize(0..10)];
    let discount_amount = if random.u8(0..10) == 0 { quantity * unit_amount / 10 } else { 0 };
    Line { sku, name, quantity, unit_amount, discount_amount, tax: Tax::Rate(market.rate) }
}

/// A random index below `count`; small ones are more frequent, because it is the smaller of two.
pub(super) fn favourite(random: &mut fastrand::Rng, count: usize) -> usize {
    random.usize(0..count).min(random.usize(0..count))
}
