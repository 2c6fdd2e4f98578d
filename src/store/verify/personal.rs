//! Personal data compared with its salted digests, which the hash chains cover; and what is erased told from what is
//! lost: it is blank, and something says that it was erased.

use crate::{
    error::Result,
    store::{
        ReadTx,
        personal::{digest, live},
        sql::store_error,
    },
};

/// Blank rows that nothing accounts for, and rows that should be blank.
const UNACCOUNTED: [(&str, &str); 3] = [
    (
        "of an order that was not erased",
        "SELECT p.seq FROM events e JOIN personal p ON p.seq = e.personal_seq
         WHERE p.content NOT GLOB '{*' AND NOT EXISTS (
           SELECT 1 FROM events x WHERE x.order_seq = e.order_seq AND x.version > e.version AND x.type = 'order.erased')
         LIMIT 1",
    ),
    (
        "of a user who was not erased",
        "SELECT p.seq FROM users u JOIN personal p ON p.seq = u.personal_seq
         WHERE u.email_digest IS NOT NULL AND p.content NOT GLOB '{*'
         UNION ALL
         SELECT p.seq FROM audit a JOIN personal p ON p.seq IN (a.address_seq, a.details_seq)
         LEFT JOIN users u ON u.seq = p.user_seq
         WHERE p.content NOT GLOB '{*' AND (u.seq IS NULL OR u.email_digest IS NOT NULL) LIMIT 1",
    ),
    (
        "of a user who was erased, and is still there",
        "SELECT p.seq FROM users u JOIN personal p ON p.user_seq = u.seq
         WHERE u.email_digest IS NULL AND p.content GLOB '{*' LIMIT 1",
    ),
];

/// The first row that is not as it was written, or that is erased without a reason.
pub(super) fn first_fault(tx: &ReadTx<'_>) -> Result<Option<String>> {
    if let Some(seq) = first_changed(tx)? {
        return Ok(Some(format!("row {seq} is not as it was written")));
    }
    for (whose, sql) in UNACCOUNTED {
        if let Some(seq) = tx.row(sql, [], |row| row.get::<_, i64>(0))? {
            return Ok(Some(format!("row {seq} {whose}")));
        }
    }
    Ok(None)
}

fn first_changed(tx: &ReadTx<'_>) -> Result<Option<i64>> {
    let sql = "SELECT seq, salt, digest, content FROM personal ORDER BY seq";
    let mut statement = tx.connection.prepare(sql).map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let intact = || -> rusqlite::Result<bool> {
            let salt: [u8; 16] = row.get(1)?;
            let content = row.get_ref(3)?.as_str()?;
            Ok(match live(content) {
                Some(content) => digest(&salt, content) == row.get::<_, [u8; 16]>(2)?,
                None => salt == [0; 16] && content.bytes().all(|byte| byte == b' '),
            })
        };
        // A row that cannot be read is not as it was written either.
        if !intact().unwrap_or(false) {
            return Ok(Some(row.get(0).map_err(store_error)?));
        }
    }
    Ok(None)
}
