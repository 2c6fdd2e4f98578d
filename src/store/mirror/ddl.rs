//! The statements of a mirror in PostgreSQL, written from the definitions of its tables.

use super::tables::{Belongs, Column, Kind, Presence, TABLES, Table, View};

/// Creates all tables, views, indexes and comments in `schema`, which is quoted.
pub(super) fn create(schema: &str) -> String {
    let mut sql = format!(
        "CREATE TABLE {schema}.mirror (
           singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
           format integer NOT NULL, database text NOT NULL, seq bigint NOT NULL, hash text NOT NULL,
           audit_seq bigint NOT NULL, audit_hash text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
         COMMENT ON TABLE {schema}.mirror IS 'How far the mirror has come; written with the rows in one transaction';
         COMMENT ON COLUMN {schema}.mirror.seq IS 'The last event that the mirror has';
         COMMENT ON COLUMN {schema}.mirror.updated_at IS 'When it last came further';\n"
    );
    for table in TABLES {
        sql.push_str(&create_table(schema, table));
        if let Some(view) = table.view {
            sql.push_str(&create_view(schema, table, view));
        }
    }
    sql
}

fn create_table(schema: &str, table: &Table) -> String {
    let Table { name, key, .. } = table;
    let column = |column: &Column| {
        let null = if column.presence == Presence::Always { " NOT NULL" } else { "" };
        format!("{} {}{null}", column.name, column_type(column.kind))
    };
    let mut parts: Vec<_> = table.columns.iter().map(column).collect();
    parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    parts.extend(table.constraints.iter().map(|constraint| constraint.replace("{schema}", schema)));
    let mut sql = format!(
        "CREATE TABLE {schema}.{name} ({});\nCOMMENT ON TABLE {schema}.{name} IS {};\n",
        parts.join(", "),
        quoted(table.comment)
    );
    sql.extend(table.indexes.iter().map(|columns| format!("CREATE INDEX ON {schema}.{name} ({columns});\n")));
    sql.extend(table.columns.iter().map(|column| comment_on(schema, name, column)));
    sql
}

/// The view of a table with amounts as decimals of their currency.
fn create_view(schema: &str, table: &Table, view: View) -> String {
    let Table { name, columns, .. } = table;
    let shown = |column: &Column| match column.kind {
        Kind::Amount => {
            format!("round(t.{0} / 10::numeric ^ c.minor_digits, c.minor_digits::integer) AS {0}", column.name)
        }
        _ => format!("t.{}", column.name),
    };
    let of_order = |column: &&str| match *column {
        "number" => "o.number AS order_number".to_owned(),
        "status" => "o.status AS order_status".to_owned(),
        other => format!("o.{other}"),
    };
    let mut selected: Vec<_> = columns.iter().map(shown).collect();
    selected.extend(view.of_order.iter().map(of_order));
    let is_of_order = columns.iter().any(|column| column.name == "order_id");
    let order = if is_of_order { format!(" JOIN {schema}.orders o ON o.id = t.order_id") } else { String::new() };
    let currency = if is_of_order { "o.currency" } else { "t.currency" };
    let comment = quoted(&format!("{name} with amounts in units of their currency. Never add different currencies"));
    format!(
        "CREATE VIEW {schema}.v_{name} AS SELECT {} FROM {schema}.{name} t{order}
           JOIN {schema}.currencies c ON c.code = {currency};
         COMMENT ON VIEW {schema}.v_{name} IS {comment};\n",
        selected.join(", ")
    )
}

fn comment_on(schema: &str, table: &str, column: &Column) -> String {
    format!("COMMENT ON COLUMN {schema}.{table}.{} IS {};\n", column.name, quoted(column.comment))
}

/// Inserts rows, which come as an array for each column, and changes those that are there already and differ.
pub(super) fn upsert(schema: &str, table: &Table) -> String {
    let names = names(table);
    let excluded: Vec<_> = table.columns.iter().map(|column| format!("excluded.{}", column.name)).collect();
    let present: Vec<_> = table.columns.iter().map(|column| format!("t.{}", column.name)).collect();
    format!(
        "INSERT INTO {schema}.{} AS t ({names}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET {}
         WHERE ({}) IS DISTINCT FROM ({})",
        table.name,
        values(table),
        arrays(table),
        table.key.join(", "),
        assignments(table, "excluded"),
        present.join(", "),
        excluded.join(", "),
    )
}

/// Changes rows that are there, which come as an array for each column, and inserts none.
pub(super) fn update(schema: &str, table: &Table) -> String {
    let key: Vec<_> = table.key.iter().map(|key| format!("t.{key} = n.{key}")).collect();
    format!(
        "UPDATE {schema}.{} t SET {} FROM (SELECT {} FROM {}) AS n ({}) WHERE {}",
        table.name,
        assignments(table, "n"),
        values(table),
        arrays(table),
        names(table),
        key.join(" AND "),
    )
}

/// Deletes the parts that orders no longer have: parts of the orders in the first array whose keys are not in the other
/// arrays.
pub(super) fn delete_others(schema: &str, table: &Table) -> String {
    debug_assert!(table.belongs_to == Belongs::ToItsOrder, "only parts of orders become fewer");
    let keys = table.key.iter().filter_map(|key| table.columns.iter().find(|column| column.name == *key));
    let keys: Vec<_> = keys.collect();
    let arrays = keys.iter().enumerate().map(|(i, column)| format!("${}::{}[]", i + 2, array_type(column.kind)));
    let same: Vec<_> = keys.iter().map(|column| format!("k.{0} = t.{0}", column.name)).collect();
    format!(
        "DELETE FROM {schema}.{} t WHERE t.order_id = ANY($1::text[])
           AND NOT EXISTS (SELECT 1 FROM unnest({}) AS k ({}) WHERE {})",
        table.name,
        arrays.collect::<Vec<_>>().join(", "),
        table.key.join(", "),
        same.join(" AND "),
    )
}

fn names(table: &Table) -> String {
    table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// The parameters as rows of a table `r`.
fn arrays(table: &Table) -> String {
    let array = |(i, column): (usize, &Column)| format!("${}::{}[]", i + 1, array_type(column.kind));
    let arrays: Vec<_> = table.columns.iter().enumerate().map(array).collect();
    format!("unnest({}) AS r ({})", arrays.join(", "), names(table))
}

/// The columns of `r` as values of the table's columns.
fn values(table: &Table) -> String {
    let value = |Column { name, kind, .. }: &Column| match kind {
        Kind::Id(_) | Kind::Text | Kind::Integer | Kind::Amount => format!("r.{name}"),
        Kind::Percent => format!("r.{name} / 10000.0"),
        Kind::Time => format!("timestamptz 'epoch' + r.{name} * interval '1 millisecond'"),
        Kind::Flag => format!("r.{name} <> 0"),
        Kind::Json => format!("r.{name}::jsonb"),
    };
    table.columns.iter().map(value).collect::<Vec<_>>().join(", ")
}

fn assignments(table: &Table, from: &str) -> String {
    let others = table.columns.iter().filter(|column| !table.key.contains(&column.name));
    others.map(|Column { name, .. }| format!("{name} = {from}.{name}")).collect::<Vec<_>>().join(", ")
}

fn column_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id(_) | Kind::Text => "text",
        Kind::Integer | Kind::Amount => "bigint",
        Kind::Percent => "numeric(7, 4)",
        Kind::Time => "timestamptz",
        Kind::Flag => "boolean",
        Kind::Json => "jsonb",
    }
}

/// The type in which the values of a column are sent.
fn array_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id(_) | Kind::Text | Kind::Json => "text",
        Kind::Integer | Kind::Amount | Kind::Percent | Kind::Time | Kind::Flag => "bigint",
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
