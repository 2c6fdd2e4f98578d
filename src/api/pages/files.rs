//! The static files of the pages. They are part of the binary.

use crate::error::{Error, Result};
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use std::fmt::Write;

/// All files under `assets/`. Only style sheets, scripts and pictures are served as files.
#[derive(RustEmbed)]
#[folder = "assets/"]
pub(super) struct Assets;

/// The bytes of a file's SHA-256 that form its entity tag.
const TAG_BYTES: usize = 16;

/// `/assets/{*path}`: a style sheet, script or picture.
///
/// # Errors
/// `not_found` if there is no such file or it is of another type.
pub async fn file(Path(path): Path<String>, headers: HeaderMap) -> Result<Response> {
    let media = match path.rsplit_once('.') {
        // The files of the console have addresses of their own.
        _ if path.starts_with("console/") => return Err(Error::absent()),
        Some((_, "png")) => "image/png",
        Some((_, "svg")) => "image/svg+xml",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => return Err(Error::absent()),
    };
    let file = Assets::get(&path).ok_or_else(Error::absent)?;
    let tag = entity_tag(&file.metadata.sha256_hash());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let common = [
        (header::ETAG, tag.as_str()),
        // One hour avoids most requests, and a new version is still seen soon.
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Ok((common, [(header::CONTENT_TYPE, media)], file.data).into_response())
}

fn entity_tag(hash: &[u8; 32]) -> String {
    let mut tag = String::from('"');
    for byte in &hash[..TAG_BYTES] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::problem;

    async fn fetch(path: &str, tag: Option<&str>) -> Result<Response> {
        let tag = tag.map(|tag| (header::IF_NONE_MATCH, tag.parse().unwrap()));
        file(Path(path.to_owned()), tag.into_iter().collect()).await
    }

    #[tokio::test]
    async fn a_known_entity_tag_gives_304() {
        let first = fetch("style.css", None).await.unwrap();
        assert_eq!(first.headers()["content-type"], "text/css; charset=utf-8");
        let tag = first.headers()["etag"].to_str().unwrap();
        assert_eq!(tag.len(), 34);
        assert_eq!(fetch("style.css", Some(tag)).await.unwrap().status(), 304);
        assert_eq!(fetch("style.css", Some(&format!("\"x\", W/{tag}"))).await.unwrap().status(), 304);
        assert_eq!(fetch("style.css", Some("\"x\"")).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn only_style_sheets_and_scripts_are_served() {
        for path in [
            "guide/01-architecture.md",
            "docs/LICENSE",
            "x.css",
            "../Cargo.toml",
            "../src/x.js",
            "/etc/x.js",
            "console/main.js",
            "",
        ] {
            assert!(fetch(path, None).await.unwrap_err().is(&problem::NOT_FOUND), "{path}");
        }
    }
}
