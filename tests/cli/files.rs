//! `orderd export` and `orderd import`: the same orders and bytes as over HTTP, with and without a running server.

use crate::{
    server::{ADMIN, Client, Server},
    strace,
    support::TestDir,
};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
};

/// The body of `GET path` with this `Accept`.
fn exported(server: &Server, client: &Client, path: &str, media: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let token = client.token.as_ref().unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAccept: {media}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole += &rest[..size];
        body = &rest[size + 2..];
        if size == 0 {
            break;
        }
    }
    whole
}

fn line(reference: &str, name: &str) -> Value {
    let items = json!([{"sku": "tea", "name": name, "quantity": 1, "unit_amount": 1250}]);
    json!({"external_ref": reference, "currency": "EUR", "items": items})
}

/// Creates a database with 2,050 orders, several batches of an export.
fn filled(dir: &TestDir) {
    Server::start(dir, &ADMIN, "").stop();
    let mut lines = String::new();
    for i in 0..2_050 {
        writeln!(lines, "{}", line(&format!("order-{i}"), if i % 5 == 0 { "Tea" } else { "=Cups, \"blue\"" })).unwrap();
    }
    dir.write("orders.ndjson", &lines);
    let imported = dir.run("import --db orders.db orders.ndjson");
    assert_eq!((imported.code, imported.err.as_str()), (0, "created 2050, there already 0, failed 0\n"));
    assert_eq!(imported.out.lines().filter(|line| line.contains(r#""result":"created""#)).count(), 2_050);
}

#[test]
fn an_export_has_the_bytes_of_the_api() {
    let dir = TestDir::new();
    filled(&dir);
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    for (flags, path, media) in [
        ("", "/v1/orders", "application/x-ndjson"),
        ("--format csv", "/v1/orders", "text/csv"),
        ("--format csv --filter q=TEA --sort created_at", "/v1/orders?q=tea&sort=created_at", "text/csv"),
        ("--sort -total_amount --filter status=draft", "/v1/orders?status=draft", "application/x-ndjson"),
    ] {
        let out = dir.run(&format!("export --db orders.db {flags}"));
        assert_eq!((out.code, out.err.as_str()), (0, ""), "{flags}");
        assert!(out.out == exported(&server, &admin, path, media), "{flags}");
    }
    let file = dir.run("export --db orders.db --out orders.out");
    assert_eq!((file.code, file.out.as_str(), file.err.as_str()), (0, "", ""));
    let path = dir.path().join("orders.out");
    assert!(fs::read_to_string(&path).unwrap() == exported(&server, &admin, "/v1/orders", "application/x-ndjson"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_existing_file_is_replaced_only_by_force() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    dir.write("taken", "mine");
    let refused = dir.run("export --db orders.db --out taken");
    assert_eq!((refused.code, refused.err.as_str()), (1, "orderd: taken: exists already; --force replaces it\n"));
    assert_eq!(fs::read_to_string(dir.path().join("taken")).unwrap(), "mine");
    assert_eq!(dir.run("export --db orders.db --out taken --force").code, 0);
    assert_eq!(fs::read_to_string(dir.path().join("taken")).unwrap(), "");
    let bad = dir.run("export --db orders.db --filter colour=red --filter limit=5 --out other");
    assert_eq!((bad.code, bad.err.as_str()), (2, "orderd: colour is unknown here\n"));
    let bad = dir.run("export --db orders.db --filter limit=5 --out other");
    assert_eq!((bad.code, bad.err.as_str()), (2, "orderd: limit must not be given: all rows are exported\n"));
    assert_eq!(dir.run("export --db none.db --out other").code, 1);
    assert!(!dir.path().join("other").exists() && !dir.path().join("other.partial").exists());
    assert!(!dir.path().join("none.db").exists());
}

#[test]
fn each_line_of_an_import_is_answered_and_failures_are_counted() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    let (good, bad) = (line("order-1", "Tea"), json!({"external_ref": "order-2", "currency": "EUR"}));
    let input = format!("{good}\n\n{bad}\n{{\n{good}");
    let imported = dir.run_fed("import --db orders.db", &input);
    let summary = "created 1, there already 1, failed 2\n  1 invalid_json, first in line 4\n  1 validation_failed, first in line 3\n";
    let expected = format!("{summary}orderd: standard input: 2 of 4 failed; they are in import.failed\n");
    assert_eq!((imported.code, imported.err), (1, expected));
    assert_eq!(fs::read_to_string(dir.path().join("import.failed")).unwrap(), format!("{bad}\n{{\n"));
    let answers: Vec<Value> = imported.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let results: Vec<_> =
        answers.iter().map(|a| (a["line"].as_u64().unwrap(), a["result"].as_str().unwrap())).collect();
    assert_eq!(results, [(1, "created"), (3, "failed"), (4, "failed"), (5, "exists")]);
    assert_eq!(answers[1]["problem"]["errors"][0]["pointer"], "#/items");
    assert_eq!(answers[2]["problem"]["code"], "invalid_json");
    assert_eq!(answers[3]["id"], answers[0]["id"]);
    assert_eq!(dir.run("verify --db orders.db").code, 0);
}

#[test]
fn an_import_needs_a_readable_file_and_a_database_without_a_server() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let held = dir.run_fed("import --db orders.db -", "");
    let expected = format!("orderd: orders.db: in use by another orderd, process {}\n", server.id());
    assert_eq!((held.code, held.err), (3, expected));
    server.stop();
    let none = dir.run("import --db orders.db none.ndjson");
    assert_eq!(none.code, 1);
    assert!(none.err.starts_with("orderd: none.ndjson: "), "{}", none.err);
    let none = dir.run_fed("import --db none.db", "");
    assert_eq!((none.code, none.err.as_str()), (1, "orderd: none.db: there is no such file\n"));
    // A folder can be opened but not read.
    let folder = dir.run("import --db orders.db .");
    assert_eq!(folder.code, 1);
    assert!(folder.err.starts_with("orderd: .: "), "{}", folder.err);
}

#[test]
fn a_file_and_its_name_are_on_disk_when_the_export_ends() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    let arguments = "export --db orders.db --out all.ndjson";
    let Some(calls) = strace::calls(&dir, "fsync,rename,renameat,renameat2", arguments) else { return };
    let [.., file, name, folder] = calls.as_slice() else { panic!("{calls:?}") };
    assert!(file.contains("fsync(") && file.contains("/all.ndjson.partial>"), "{calls:?}");
    assert!(name.contains("rename") && name.contains("\"all.ndjson\""), "{calls:?}");
    let path = dir.path().canonicalize().unwrap();
    assert!(folder.contains("fsync(") && folder.contains(&format!("<{}>", path.display())), "{calls:?}");
}

#[test]
fn an_interrupted_export_does_not_look_complete() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let admin = server.admin();
    // Two pages of some 15 MB: more than the sockets buffer for a client that does not read.
    let metadata: serde_json::Map<_, _> = (0..50).map(|n| (n.to_string(), "x".repeat(500).into())).collect();
    let mut lines = String::new();
    for n in 0..600 {
        let mut order = line(&format!("order-{n}"), "Tea");
        order["metadata"] = metadata.clone().into();
        writeln!(lines, "{order}").unwrap();
    }
    let token = format!("Bearer {}", admin.token.as_ref().unwrap());
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/x-ndjson")];
    let mut import = server.client().open("POST /v1/orders/import", &headers, &lines).unwrap();
    import.read_to_string(&mut String::new()).unwrap();
    let ends_properly = |revoke: bool| {
        let key = json!({"name": "till", "permissions": ["orders:read"]});
        let key = admin.send("POST /v1/api-keys", &[], &key).unwrap().body;
        let mut till = server.client();
        till.token = Some(key["secret"].as_str().unwrap().to_owned());
        let mut export = till.open("GET /v1/orders", &[("Accept", "application/x-ndjson")], "").unwrap();
        let mut head = [0; 12];
        export.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        if revoke {
            let mut gone =
                admin.open(&format!("DELETE /v1/api-keys/{}", key["id"].as_str().unwrap()), &[], "").unwrap();
            gone.read_to_string(&mut String::new()).unwrap();
        }
        let mut rest = vec![];
        let read = export.read_to_end(&mut rest);
        read.is_ok() && rest.ends_with(b"\r\n0\r\n\r\n")
    };
    assert!(ends_properly(false));
    assert!(!ends_properly(true));
    assert!(server.log().contains("response aborted: its caller lost a right"), "{}", server.log());
}
