//! The console: where it is served, with which headers, and that it depends on nothing from outside.

use crate::support::{PASSWORD, Service};
use flate2::{Compression, write::GzEncoder};
use orderd::service::sessions;
use serde_json::json;
use std::{collections::BTreeSet, fs, io::Write};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

fn is_file(address: &str, extension: &str) -> bool {
    address.rsplit_once('.').is_some_and(|(_, end)| end == extension)
}

/// The local addresses in a document.
fn addresses(document: &str) -> BTreeSet<String> {
    document.split('"').filter(|part| part.starts_with("/console/files/")).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_address_below_the_console_answers_the_same_document() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    let first = anyone.get("/console").await.ok();
    assert_eq!(first.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(first.header("content-security-policy"), POLICY);
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        assert_eq!(first.header(name), "same-origin", "{name}");
    }
    assert_eq!((first.header("cache-control"), first.header("x-content-type-options")), ("no-cache", "nosniff"));
    let unset = "data-email=\"\" data-setup=\"\"";
    assert!(first.text().contains(unset), "only demo data suggests an address, only an empty database awaits set-up");
    for place in ["/console/", "/console/orders", "/console/orders/ord_x", "/console/no/such/place", "/console/files"] {
        let other = anyone.get(place).await.ok();
        assert_eq!((other.text(), other.header("etag")), (first.text(), first.header("etag")), "{place}");
    }
    let again = anyone.get("/console/orders").header("if-none-match", first.header("etag")).await.status(304);
    assert_eq!(again.bytes(), b"");
}

#[tokio::test]
async fn the_document_says_whether_the_server_awaits_set_up() {
    let service = Service::start().await;
    let token = sessions::offer_setup(&service.app()).await.unwrap().unwrap();
    let awaits = |text: &str| text.contains("data-setup=\"yes\"");
    assert!(awaits(service.anonymous().get("/console").await.ok().text()));
    let body = json!({"token": token.reveal(), "email": "ada@example.com", "name": "Ada", "password": PASSWORD});
    service.anonymous().post("/v1/setup", body).await.created();
    assert!(!awaits(service.anonymous().get("/console").await.ok().text()));
}

#[tokio::test]
async fn browsers_are_led_to_the_console_and_programs_get_links() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    let browser = anyone.get("/").header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").await.status(303);
    assert_eq!(browser.header("location"), "/console");
    for accept in ["*/*", "application/json"] {
        let program = anyone.get("/").header("accept", accept).await.ok();
        assert!(program.text().contains("href=\"/console\"") && program.header("vary").contains("Accept"), "{accept}");
    }
}

#[tokio::test]
async fn files_have_their_hash_in_the_address_and_are_kept_for_good() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    let document = anyone.get("/console").await.ok();
    let files = addresses(document.text());
    let modules = files.iter().filter(|address| is_file(address, "js")).count();
    assert!(modules > 15 && files.iter().any(|address| address.ends_with("/console.css")), "{files:?}");
    for address in &files {
        let file = anyone.get(address).await.ok();
        assert_eq!(file.header("cache-control"), "max-age=31536000, immutable", "{address}");
        let media = if is_file(address, "css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        assert_eq!(file.header("content-type"), media, "{address}");
        assert_eq!(file.maybe_header("content-encoding"), None);
        let small = anyone.get(address).header("accept-encoding", "gzip").await.ok();
        assert_eq!((small.header("content-encoding"), small.header("vary")), ("gzip", "Accept-Encoding"), "{address}");
        assert!(small.bytes() == file.bytes(), "{address}: the test client unpacks it");
    }
    let main = files.iter().find(|address| address.ends_with("/main.js")).unwrap();
    let (folder, _) = main.rsplit_once('/').unwrap();
    let hash = folder.rsplit_once('/').unwrap().1;
    for gone in [
        main.replace(hash, "0123456789abcdef"),
        main.replace("main.js", "index.html"),
        main.replace("main.js", "lib/types.d.ts"),
        main.replace("main.js", "../style.css"),
        "/assets/console/main.js".to_owned(),
    ] {
        anyone.get(&gone).await.problem("not_found");
    }
}

#[tokio::test]
async fn the_modules_import_one_another_and_nothing_from_outside() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    let document = anyone.get("/console").await.ok();
    let files = addresses(document.text());
    for address in files.iter().filter(|address| is_file(address, "js") && !address.contains("/vendor/")) {
        let module = anyone.get(address).await.ok();
        let text = module.text();
        let imports = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("export {"));
        for import in imports.filter_map(|line| line.split(" from \"").nth(1)).filter_map(|rest| rest.split('"').next())
        {
            let folder = address.rsplit_once('/').unwrap().0;
            let target = match import.strip_prefix("../") {
                Some(rest) => format!("{}/{rest}", folder.rsplit_once('/').unwrap().0),
                None => format!("{folder}/{}", import.strip_prefix("./").unwrap()),
            };
            assert!(files.contains(&target), "{address} imports {import}");
        }
        for forbidden in ["innerHTML", "eval(", "new Function", "document.write", "http://", "insertAdjacentHTML"] {
            assert!(!text.contains(forbidden), "{address}: {forbidden}");
        }
    }
}

#[tokio::test]
async fn modules_are_served_as_they_are_but_for_lines_that_are_comments() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    let document = anyone.get("/console").await.ok();
    for address in addresses(document.text()).iter().filter(|address| is_file(address, "js")) {
        let module = anyone.get(address).await.ok();
        let name = address.splitn(5, '/').last().unwrap();
        let source = fs::read_to_string(format!("{}/assets/console/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(source.starts_with("// ") || name.starts_with("vendor/"), "{name} says what it is");
        assert_eq!(source.lines().count(), module.text().lines().count(), "{name}: the numbers of lines stay");
        let mut quotes = 0;
        for (line, served) in source.lines().zip(module.text().lines()) {
            if line != served {
                assert!(served.is_empty() && quotes % 2 == 0, "{name}: {line}");
                let comment = line.trim();
                assert!(comment.starts_with("// ") || comment.find("*/") == Some(comment.len() - 2), "{name}: {line}");
            }
            quotes += line.replace("\"`\"", "").matches('`').count();
        }
    }
}

#[tokio::test]
async fn all_files_together_are_at_most_a_hundred_kilobytes_over_the_wire() {
    let service = Service::start().await;
    let anyone = service.anonymous();
    let document = anyone.get("/console").await.ok();
    let mut bytes = 0;
    for address in addresses(document.text()) {
        let file = anyone.get(&address).await.ok();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(file.bytes()).unwrap();
        bytes += encoder.finish().unwrap().len();
    }
    assert!(bytes <= 100_000, "{bytes} bytes");
}

#[tokio::test]
async fn the_document_shows_no_data_and_needs_no_session() {
    let service = Service::start().await;
    service.admin().await.places(crate::support::order_of(&[("secret-tea", 1, 100)])).await.created();
    let document = service.anonymous().get("/console/orders").await.ok();
    assert!(!document.text().contains("secret-tea") && document.maybe_header("set-cookie").is_none());
}
