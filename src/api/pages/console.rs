//! The console: a page for people over the public API. Its files are part of the binary and need no build step. Every
//! address below `/console` answers the same document, because the page itself reads the address. Modules stand under
//! an address with their hash, so browsers keep them for good and a new version is seen at once.

use super::files::Assets;
use crate::{
    api::output::compression::Encoding,
    app::App,
    domain::digest::{hex, sha256},
    error::{Error, Result},
    service::sessions::awaits_setup,
};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use maud::html;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
    sync::LazyLock,
};

/// The media type of scripts.
const MODULE: &str = "text/javascript; charset=utf-8";

/// Scripts and styles come from this server only, and the page never makes HTML from text: `require-trusted-types-for`
/// turns such an attempt into an error.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Where the files of the console are in the assets.
const FOLDER: &str = "console/";
/// The bytes of the hash in the address of the files.
const HASH_BYTES: usize = 8;

/// The files of the console, compressed once.
static FILES: LazyLock<Files> = LazyLock::new(Files::read);

struct Files {
    hash: String,
    files: BTreeMap<String, File>,
}

struct File {
    media: &'static str,
    plain: Cow<'static, [u8]>,
    gzip: Vec<u8>,
}

impl Files {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        let mut hashes = vec![];
        let mut names: Vec<_> = Assets::iter().filter(|name| name.starts_with(FOLDER)).collect();
        names.sort_unstable();
        for name in names {
            let (Some(file), Some(media)) = (Assets::get(&name), media_type(&name)) else { continue };
            let plain = if media == MODULE { without_comments(file.data) } else { file.data };
            hashes.push(sha256(&[&plain]));
            // Writing to memory cannot fail; without a compressed form the plain one is served.
            let gzip = compress(&plain).unwrap_or_default();
            files.insert(name[FOLDER.len()..].to_owned(), File { media, plain, gzip });
        }
        let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let hash = hex(&sha256(&hashes)[..HASH_BYTES]);
        Self { hash, files }
    }

    /// The addresses of all modules, for the browser to load them at once instead of one after the other.
    fn modules(&self) -> impl Iterator<Item = &str> {
        let is_module = |name: &&String| media_type(name) == Some(MODULE) && *name != "theme.js";
        self.files.keys().filter(is_module).map(String::as_str)
    }
}

fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.') {
        Some((_, "css")) => Some("text/css; charset=utf-8"),
        Some((_, "js")) => Some(MODULE),
        _ => None,
    }
}

/// A module in which each line that is only a comment is empty. Comments are a tenth of what browsers would load, and
/// the numbers of the lines stay as they are in the repository.
fn without_comments(module: Cow<'static, [u8]>) -> Cow<'static, [u8]> {
    let is_comment = |line: &str| {
        let block = line.strip_prefix("/**").and_then(|rest| rest.split_once("*/"));
        line.starts_with("// ") || block.is_some_and(|(_, code)| code.is_empty())
    };
    match str::from_utf8(&module) {
        Ok(text) => {
            let kept = text.split('\n').map(|line| if is_comment(line.trim()) { "" } else { line });
            kept.collect::<Vec<_>>().join("\n").into_bytes().into()
        }
        Err(_) => module,
    }
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The routes of the console.
pub fn console(app: &App) -> Router<App> {
    let email = app.suggested_email.get().map_or("", String::as_str);
    let (usual, first): (Bytes, Bytes) = (document(email, "").into(), document(email, "yes").into());
    let shell = move |State(app): State<App>| {
        let document = if awaits_setup(&app) { &first } else { &usual }.clone();
        async move { shell(document) }
    };
    Router::new()
        .route("/console", get(shell.clone()))
        .route("/console/", get(shell.clone()))
        .route("/console/{*place}", get(shell))
        .route("/console/files/{hash}/{*path}", get(file))
}

/// A page like any other: the middleware gives it an entity tag and compresses it.
fn shell(document: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CSP),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, document).into_response()
}

/// `index.html` with the addresses of the files, the suggested e-mail address, and whether the server awaits set-up.
fn document(email: &str, awaits_setup: &str) -> String {
    let files = format!("/console/files/{}/", FILES.hash);
    let preload = |module| format!("<link rel=\"modulepreload\" fetchpriority=\"low\" href=\"{files}{module}\">\n");
    let modules: String = FILES.modules().map(preload).collect();
    let (email, template) = (html! { (email) }.into_string(), Assets::get("console/index.html"));
    let template = template.map_or_else(String::new, |file| String::from_utf8_lossy(&file.data).into_owned());
    template
        .replace("{email}", &email)
        .replace("{setup}", awaits_setup)
        .replace("{modules}\n", &modules)
        .replace("{files}", &files)
}

/// `/console/files/{hash}/{*path}`: a style sheet or a module.
async fn file(Path((hash, path)): Path<(String, String)>, headers: HeaderMap) -> Result<Response> {
    let file = FILES.files.get(&path).filter(|_| hash == FILES.hash).ok_or_else(Error::absent)?;
    let common = [
        (header::CONTENT_TYPE, file.media),
        (header::CACHE_CONTROL, "max-age=31536000, immutable"),
        (header::VARY, "Accept-Encoding"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    if !file.gzip.is_empty() && Encoding::preferred(&headers) == Encoding::Gzip {
        let encoding = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        return Ok((common, encoding, file.gzip.as_slice()).into_response());
    }
    Ok((common, file.plain.clone()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn all_files_together_are_small() {
        let total: usize = FILES.files.values().map(|file| file.gzip.len()).sum();
        assert!(total <= 100 * 1024, "the console has {total} bytes compressed; at most 100 KiB are allowed");
        for (name, file) in &FILES.files {
            let mut plain = vec![];
            GzDecoder::new(file.gzip.as_slice()).read_to_end(&mut plain).unwrap();
            assert!(plain == *file.plain, "{name}");
        }
    }
}
