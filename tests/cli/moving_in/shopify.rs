//! A made-up export of orders of a shop at Shopify, with every oddity of the format: orders of several rows, discounts
//! on lines, on orders and on shipping, tax beside the prices or in them, two taxes, untaxed lines, tips, duties, lines
//! without an SKU, lines that were taken off, names with quotes and line ends, other currencies, offsets of time, every
//! status of payment, refunds and cancellations. The same number of orders always gives the same file.

use std::fmt::Write as _;

const HEADER: &str = "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,\
    Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,\
    Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,\
    Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,Billing City,\
    Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,Shipping Address1,\
    Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone,Notes,\
    Note Attributes,Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Outstanding Balance,Employee,\
    Location,Device ID,Id,Tags,Risk Level,Source,Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Phone,\
    Receipt Number,Duties,Billing Province Name,Shipping Province Name";

/// What an order has to be after the import. Amounts are minor units.
#[derive(Debug, PartialEq, Eq)]
pub struct Sold {
    pub number: i64,
    pub currency: String,
    pub status: String,
    pub total: i64,
    pub tax: i64,
    pub paid: i64,
    pub refunded: i64,
}

/// A shop: its export, and its orders in the order of the file. Three more orders at the end are not right.
pub struct Shop {
    pub csv: String,
    pub orders: Vec<Sold>,
}

impl Shop {
    pub fn of(orders: i64) -> Self {
        let mut shop = Self { csv: format!("{HEADER}\n"), orders: vec![] };
        for i in 0..orders {
            shop.add(i);
        }
        let lines = lines(996);
        let price = Price::of(996, &lines);
        let good = row(996, &price, &Course::of(996, price.total), "EUR", &lines[0], true);
        for (name, from, to) in
            [("#90001", ",EUR,", ",XXX,"), ("#90002", ",2024-", ",2024/"), ("#90003", ",EUR,", ",EUR,9")]
        {
            shop.csv += &good.replacen("#1997", name, 1).replace(from, to);
        }
        shop
    }

    fn add(&mut self, i: i64) {
        let lines = lines(i);
        let price = Price::of(i, &lines);
        let course = Course::of(i, price.total);
        let number = 1001 + i;
        let currency = if i % 10 == 5 {
            "JPY"
        } else if i % 7 == 3 {
            "USD"
        } else {
            "EUR"
        };
        for (at, line) in lines.iter().enumerate() {
            self.csv += &row(i, &price, &course, currency, line, at == 0);
        }
        let Course { status, paid, refunded, .. } = course;
        let Price { total, tax, .. } = price;
        let (currency, status) = (currency.to_owned(), status.to_owned());
        self.orders.push(Sold { number, currency, status, total, tax, paid, refunded });
    }
}

struct Line {
    quantity: i64,
    price: i64,
    discount: i64,
    taxable: bool,
    name: String,
    sku: String,
}

fn lines(i: i64) -> Vec<Line> {
    let line = |j: i64| Line {
        // Lines that were taken off have no quantity.
        quantity: if j > 0 && i % 11 == 5 { 0 } else { 1 + (i * 7 + j) % 3 },
        price: 500 + (i * 37 + j * 113) % 5000,
        discount: if j == 0 && i % 5 == 0 { 50 } else { 0 },
        taxable: !(j == 1 && i % 9 == 4),
        name: match (i + j) % 4 {
            0 => "Sencha 250 g".to_owned(),
            1 => "\"Cup, \"\"blue\"\"\"".to_owned(),
            2 => "\"Tea set\n4 pieces\"".to_owned(),
            _ => "Straße & Söhne — Kanne".to_owned(),
        },
        sku: if (i + j) % 6 == 0 { String::new() } else { format!("SKU-{}", (i + j) % 20) },
    };
    (0..=i % 4).map(line).collect()
}

struct Price {
    subtotal: i64,
    shipping: i64,
    tax: i64,
    discount: i64,
    duties: i64,
    total: i64,
    rate: i64,
}

impl Price {
    fn of(i: i64, lines: &[Line]) -> Self {
        let gross: i64 = lines.iter().map(|line| line.quantity * line.price).sum();
        let on_lines: i64 = lines.iter().map(|line| line.discount).sum();
        let on_order = match i {
            _ if i % 100 == 50 => gross - on_lines,
            _ if i % 6 == 0 => gross / 10,
            _ => 0,
        };
        let is_free = i % 100 == 50;
        let subtotal = gross - on_lines - on_order;
        let shipping = if is_free { 0 } else { [0, 499, 990][usize::try_from(i % 3).unwrap()] };
        let rate = if is_free { 0 } else { [0, 7, 19, 20][usize::try_from(i / 2 % 4).unwrap()] };
        let (base, is_included) = (subtotal + shipping, i % 2 == 1);
        // The shop rounds the whole order, where orderd rounds each line: so some taxes fit no rate.
        let of = if is_included { 100 + rate } else { 100 };
        let tax = (base * rate * 2 + of) / (of * 2);
        let duties = if i % 40 == 9 { 700 } else { 0 };
        let tip = if i % 50 == 7 { 300 } else { 0 };
        let off_shipping = if i % 25 == 3 { shipping } else { 0 };
        let beside = if is_included { 0 } else { tax };
        let total = subtotal + shipping + duties + tip - off_shipping + beside;
        Self { subtotal, shipping, tax, discount: on_order + off_shipping, duties, total, rate }
    }
}

struct Course {
    financial: &'static str,
    fulfilment: &'static str,
    cancelled: bool,
    status: &'static str,
    paid: i64,
    refunded: i64,
    outstanding: i64,
}

impl Course {
    fn of(i: i64, total: i64) -> Self {
        let (financial, paid, refunded, outstanding) = match i % 12 {
            0 => ("pending", 0, 0, total),
            1 => ("authorized", 0, 0, total),
            2 => ("partially_paid", total - total / 2, 0, total / 2),
            3 => ("refunded", total, total, 0),
            4 => ("partially_refunded", total, total / 3, 0),
            5 => ("voided", 0, 0, 0),
            6 => ("paid", total + 25, 0, -25),
            _ => ("paid", total, 0, 0),
        };
        let is_open = matches!(financial, "pending" | "authorized" | "voided");
        let fulfilment = if i % 3 == 0 && !is_open {
            "fulfilled"
        } else if i % 17 == 2 {
            "partial"
        } else {
            "unfulfilled"
        };
        let cancelled = i % 13 == 6;
        let status = match (cancelled, fulfilment) {
            (true, _) => "cancelled",
            (_, "fulfilled") => "fulfilled",
            _ if is_open => "pending",
            _ => "confirmed",
        };
        Self { financial, fulfilment, cancelled, status, paid, refunded, outstanding }
    }
}

/// A day of 2024, in one of several offsets.
fn time(i: i64, day: i64) -> String {
    let offset = ["+0100", "-0400", "UTC", "+0530"][usize::try_from(i % 4).unwrap()];
    format!("2024-{:02}-{:02} {:02}:22:01 {offset}", 1 + i % 9, day + i % 20, 10 + i % 10)
}

fn row(i: i64, price: &Price, course: &Course, currency: &str, line: &Line, is_first: bool) -> String {
    let money = |amount: i64| match currency {
        "JPY" => amount.to_string(),
        _ if amount < 0 => format!("-{}.{:02}", -amount / 100, -amount % 100),
        _ => format!("{}.{:02}", amount / 100, amount % 100),
    };
    let of_order = |text: String| if is_first { text } else { String::new() };
    let mut row = format!("#{},ada{i}@example.com", 1001 + i);
    let mut add = |text: String| write!(row, ",{text}").unwrap();
    add(of_order(course.financial.to_owned()));
    add(of_order(if course.paid > 0 { time(i, 3) } else { String::new() }));
    add(of_order(course.fulfilment.to_owned()));
    add(of_order(if course.fulfilment == "fulfilled" { time(i, 5) } else { String::new() }));
    add(of_order("yes".to_owned()));
    add(of_order(currency.to_owned()));
    for amount in [price.subtotal, price.shipping, price.tax, price.total] {
        add(of_order(money(amount)));
    }
    add(of_order(if price.discount > 0 { "SPRING".to_owned() } else { String::new() }));
    add(of_order(money(price.discount)));
    add(of_order("Standard".to_owned()));
    add(time(i, 1));
    add(line.quantity.to_string());
    add(line.name.clone());
    add(money(line.price));
    add(String::new());
    add(line.sku.clone());
    add("true".to_owned());
    add(line.taxable.to_string());
    add("pending".to_owned());
    for _ in ["Billing", "Shipping"] {
        for part in [
            "Ada Lovelace",
            "\"12 St James's Sq, 3\"",
            "12 St James's Sq",
            "",
            "",
            "Köln",
            "'01067",
            "NW",
            "DE",
            "+49 30 1",
        ] {
            add(of_order(part.to_owned()));
        }
    }
    add(of_order("\"Ring twice\nplease\"".to_owned()));
    add(of_order(String::new()));
    add(of_order(if course.cancelled { time(i, 8) } else { String::new() }));
    add(of_order("Shopify Payments".to_owned()));
    add(of_order(format!("c{i}.1")));
    add(of_order(money(course.refunded)));
    add("Vendor".to_owned());
    add(of_order(money(course.outstanding)));
    for text in ["", "Shop", "", "", "\"new, good\"", "Low", "web"] {
        add(of_order(text.to_owned()));
    }
    add(money(line.discount));
    let has_two = price.rate == 20;
    let tax = |rate: i64| format!("Tax {rate}%");
    add(of_order(match price.rate {
        0 => String::new(),
        _ if has_two => tax(12),
        rate => tax(rate),
    }));
    add(of_order(if price.rate > 0 { money(price.tax) } else { String::new() }));
    add(of_order(if has_two { tax(8) } else { String::new() }));
    add(of_order(String::new()));
    add(of_order("+49 30 1".to_owned()));
    add(of_order(String::new()));
    add(of_order(if price.duties > 0 { money(price.duties) } else { String::new() }));
    row += ",,\n";
    row
}
