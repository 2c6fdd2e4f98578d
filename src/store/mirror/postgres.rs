//! Writing a mirror: one transaction for each part, which has the rows and the position. So after any failure, of
//! either side or of the network between them, the position says exactly which rows are there.

use super::{
    Part, Position, ddl,
    rows::{Rows, Values},
    tables::{Belongs, TABLES, Table},
};
use tokio_postgres::{
    Client, Error, Transaction,
    types::{ToSql, Type},
};

/// What this program writes. Tables of another format are not touched.
const FORMAT: i32 = 1;

/// The schema of a mirror. Its name is a plain identifier in lower case.
#[derive(Clone, Debug)]
pub struct Schema {
    name: String,
    quoted: String,
}

/// What is in a schema.
pub enum Found {
    /// Nothing of a mirror.
    Nothing,
    /// A mirror of this database, which has come this far.
    Mirror(Position),
    /// A mirror of another database.
    OtherDatabase,
    /// A mirror of another version of this program.
    OtherFormat,
}

impl Schema {
    /// Parses a name of 1 to 63 letters, digits and underscores.
    pub fn parse(name: &str) -> Option<Self> {
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        let is_valid = (1..=63).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with("pg_");
        is_valid.then(|| Self { name: name.to_owned(), quoted: format!("\"{name}\"") })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Takes the mirror for this session, unless another session has it.
pub async fn lock(client: &Client, schema: &Schema) -> Result<bool, Error> {
    let key = format!("orderd mirror {}", schema.name);
    let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
    client.query_typed_one(sql, &[(&key, Type::TEXT)]).await?.try_get(0)
}

/// Finds out what is in the schema, for the database with this identifier.
pub async fn find(client: &Client, schema: &Schema, database: &str) -> Result<Found, Error> {
    let Schema { quoted, .. } = schema;
    let table = format!("{quoted}.mirror");
    let exists = client.query_typed_one("SELECT to_regclass($1) IS NOT NULL", &[(&table, Type::TEXT)]).await?;
    if !exists.try_get::<_, bool>(0)? {
        return Ok(Found::Nothing);
    }
    let row = client.query_typed_one(&format!("SELECT format, database FROM {table}"), &[]).await?;
    if row.try_get::<_, i32>(0)? != FORMAT {
        return Ok(Found::OtherFormat);
    }
    if row.try_get::<_, String>(1)? != database {
        return Ok(Found::OtherDatabase);
    }
    let row = client.query_typed_one(&format!("SELECT seq, hash, audit_seq, audit_hash FROM {table}"), &[]).await?;
    Ok(Found::Mirror(Position {
        seq: row.try_get(0)?,
        hash: row.try_get(1)?,
        audit_seq: row.try_get(2)?,
        audit_hash: row.try_get(3)?,
    }))
}

/// Creates the tables of an empty mirror, and the schema unless it is there.
pub async fn create(client: &mut Client, schema: &Schema, database: &str, start: &Position) -> Result<(), Error> {
    let Schema { quoted, .. } = schema;
    let tx = client.transaction().await?;
    // Creating a schema needs a right to the database that is not needed where an administrator has made it.
    let found = tx.query_typed_one("SELECT to_regnamespace($1) IS NOT NULL", &[(quoted, Type::TEXT)]).await?;
    if !found.try_get::<_, bool>(0)? {
        tx.batch_execute(&format!("CREATE SCHEMA {quoted}")).await?;
    }
    tx.batch_execute(&ddl::create(quoted)).await?;
    insert_position(&tx, quoted, database, start).await?;
    tx.commit().await
}

/// Empties a mirror of this format, whatever database it is of, so that it can be filled again. Rights to its tables
/// and views of others stay.
pub async fn clear(client: &mut Client, schema: &Schema, database: &str, start: &Position) -> Result<(), Error> {
    let Schema { quoted, .. } = schema;
    let tx = client.transaction().await?;
    let names: Vec<_> = TABLES.iter().map(|table| format!("{quoted}.{}", table.name)).collect();
    tx.batch_execute(&format!("TRUNCATE {quoted}.mirror, {}", names.join(", "))).await?;
    insert_position(&tx, quoted, database, start).await?;
    tx.commit().await
}

async fn insert_position(tx: &Transaction<'_>, schema: &str, database: &str, start: &Position) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO {schema}.mirror (format, database, seq, hash, audit_seq, audit_hash) VALUES ($1, $2, $3, $4, $5, $6)"
    );
    let values: [(&(dyn ToSql + Sync), Type); 6] = [
        (&FORMAT, Type::INT4),
        (&database, Type::TEXT),
        (&start.seq, Type::INT8),
        (&start.hash, Type::TEXT),
        (&start.audit_seq, Type::INT8),
        (&start.audit_hash, Type::TEXT),
    ];
    tx.execute_typed(&sql, &values).await.map(drop)
}

/// Writes a part that follows `from`. Returns whether the mirror was still there; otherwise nothing was written.
pub async fn write(client: &mut Client, schema: &Schema, from: &Position, part: &Part) -> Result<bool, Error> {
    let Schema { quoted, .. } = schema;
    let tx = client.transaction().await?;
    // Each statement finds some thousand rows by their keys. While a mirror is filled, PostgreSQL has no statistics of
    // its tables, and would read all of them instead, for foreign keys too. Where it has no choice, it takes the plan
    // for so expensive that it would compile it.
    tx.batch_execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off").await?;
    if !advance(&tx, quoted, from, &part.to).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    for rows in &part.rows {
        if rows.table.belongs_to == Belongs::ToItsOrder {
            delete_others(&tx, quoted, rows, &part.orders).await?;
        }
        if !rows.is_empty() {
            tx.execute_typed(&ddl::upsert(quoted, rows.table), &parameters(rows)).await?;
        }
    }
    if !part.users.is_empty() {
        tx.execute_typed(&ddl::update(quoted, part.users.table), &parameters(&part.users)).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Moves the position, unless another mirror has moved it.
async fn advance(tx: &Transaction<'_>, schema: &str, from: &Position, to: &Position) -> Result<bool, Error> {
    let sql = format!(
        "UPDATE {schema}.mirror SET seq = $1, hash = $2, audit_seq = $3, audit_hash = $4, updated_at = now()
         WHERE seq = $5 AND hash = $6 AND audit_seq = $7 AND audit_hash = $8"
    );
    let values: [(&(dyn ToSql + Sync), Type); 8] = [
        (&to.seq, Type::INT8),
        (&to.hash, Type::TEXT),
        (&to.audit_seq, Type::INT8),
        (&to.audit_hash, Type::TEXT),
        (&from.seq, Type::INT8),
        (&from.hash, Type::TEXT),
        (&from.audit_seq, Type::INT8),
        (&from.audit_hash, Type::TEXT),
    ];
    Ok(tx.execute_typed(&sql, &values).await? == 1)
}

/// Deletes the parts of these orders that are not among `rows`.
async fn delete_others(tx: &Transaction<'_>, schema: &str, rows: &Rows, orders: &[String]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let Table { key, .. } = rows.table;
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&orders, Type::TEXT_ARRAY)];
    values.extend(key.iter().filter_map(|key| rows.column(key)).map(parameter));
    tx.execute_typed(&ddl::delete_others(schema, rows.table), &values).await.map(drop)
}

/// The columns of rows as arrays.
fn parameters(rows: &Rows) -> Vec<(&(dyn ToSql + Sync), Type)> {
    rows.columns.iter().map(parameter).collect()
}

fn parameter(values: &Values) -> (&(dyn ToSql + Sync), Type) {
    match values {
        Values::Integers(values) => (values, Type::INT8_ARRAY),
        Values::Texts(values) => (values, Type::TEXT_ARRAY),
    }
}
