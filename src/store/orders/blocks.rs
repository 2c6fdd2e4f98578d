//! The sizes of the blocks of `orders_by_total`, `order_items_by_sku` and `orders_of_users`, which are sorted within
//! blocks of orders only, so that new entries land in the newest block. `schema.sql` has the reasons.
//!
//! The numbers are macros because SQL texts are made from them at compile time.

macro_rules! total_block_bits {
    () => {
        10
    };
}

macro_rules! sku_block_bits {
    () => {
        9
    };
}
pub(in crate::store) use sku_block_bits;

/// Orders in a block of `orders_by_total`, as a power of two.
pub(super) const TOTAL_BLOCK_BITS: u32 = total_block_bits!();
/// Orders in a block of `order_items_by_sku`, as a power of two.
pub(in crate::store) const SKU_BLOCK_BITS: u32 = sku_block_bits!();

/// Orders in a block of `orders_of_users`, as a power of two.
pub(super) const USER_BLOCK_BITS: u32 = 11;

/// The condition that an order `o` is in a block of `orders_by_total`.
pub(super) const IN_TOTAL_BLOCK: &str = concat!("o.seq >> ", total_block_bits!(), " = ?");
/// The condition that an item `i` is in a block of `order_items_by_sku` and has a SKU.
pub(super) const IN_SKU_BLOCK: &str = concat!("i.order_seq >> ", sku_block_bits!(), " = ? AND i.sku = ?");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA;

    #[test]
    fn the_schema_has_the_same_block_sizes() {
        for block in [
            format!("(seq >> {TOTAL_BLOCK_BITS}, "),
            format!("(order_seq >> {SKU_BLOCK_BITS}, "),
            format!("(order_seq >> {USER_BLOCK_BITS}) + 1"),
        ] {
            assert_eq!(SCHEMA.matches(&block).count(), 1, "{block}");
        }
    }
}
