//! Pages for people: the start page, the API reference, the problems and the guide. They are part of the binary, need
//! no internet, and are public. They show no data; the console asks the API for it.

#![allow(clippy::unused_async, reason = "axum requires handlers to be async")]

mod console;
mod files;
mod guide;

use super::output::problem::status;
use crate::error::{ALL, Error, Problem, Result};
use axum::{
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};

pub use console::console;
pub use files::file;

/// Pages load styles from this server only and run no scripts.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The API reference runs scripts from this server only. They set inline styles and send requests to this server only.
const CSP_WITH_SCRIPTS: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/`: leads browsers to the console. Other programs get a page of links.
pub async fn start(headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.split([',', ';']).any(|media| media.trim() == "text/html") {
        return ([(header::VARY, "Accept")], Redirect::to("/console")).into_response();
    }
    let page = page(
        "orderd",
        CSP,
        &html! {
            main {
                h1 { "orderd" }
                p.lead { "Orders, payments and exact analytics: one static binary, one SQLite file." }
                ul.cards {
                    (card("/console", "Console", "The page for those who work with orders, payments and figures."))
                    (card("/docs", "API reference", "Every operation with its fields, limits, responses and problems. You can send requests from the page."))
                    (card("/guide", "Guide", "How it works, how to run it, and why it is built this way."))
                    (card("/problems", "Problems", "What each error means and what to do about it."))
                    (card("/openapi.json", "openapi.json", "The API as OpenAPI 3.1, for code generators and other programs."))
                    (card("/version", "Version", "The version of this server."))
                }
            }
        },
    );
    ([(header::VARY, "Accept")], page).into_response()
}

fn card(address: &str, name: &str, description: &str) -> Markup {
    html! { li { a href=(address) { strong { (name) } span { (description) } } } }
}

/// `/docs`: the API reference, shown by Swagger UI.
pub async fn docs() -> Response {
    page(
        "API reference",
        CSP_WITH_SCRIPTS,
        &html! {
            link rel="stylesheet" href="/assets/docs/swagger-ui.css";
            div id="reference" {
                noscript { p { "This page needs JavaScript. Without it, read " a href="/openapi.json" { "openapi.json" } "." } }
            }
            script src="/assets/docs/swagger-ui-bundle.js" {}
            script src="/assets/docs/start.js" {}
        },
    )
}

/// `/problems`: the list of all problems.
pub async fn problems() -> Response {
    page(
        "Problems",
        CSP,
        &html! {
            main {
                h1 { "Problems" }
                p { "Every error is a problem detail (RFC 9457). Its " code { "code" } " never changes. Its " code { "type" }
                    " is the address of a page in this list." }
                div.wide tabindex="0" {
                    table {
                        thead { tr { th { "Status" } th { "Code" } th { "What happened" } } }
                        tbody {
                            @for problem in ALL {
                                tr {
                                    td { (status(problem.category).as_u16()) }
                                    td { a href={ "/problems/" (problem.slug()) } { code { (problem.code) } } }
                                    td { (problem.title) }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

/// `/problems/{slug}`: the meaning of a problem and what to do about it.
///
/// # Errors
/// `not_found` if no problem has this slug.
pub async fn problem(Path(slug): Path<String>) -> Result<Response> {
    let problem: &Problem = ALL.iter().find(|problem| problem.slug() == slug).ok_or_else(Error::absent)?;
    let status = status(problem.category);
    Ok(page(
        problem.title,
        CSP,
        &html! {
            main {
                p.crumbs { a href="/problems" { "Problems" } }
                h1 { (problem.title) }
                dl {
                    dt { "Code" } dd { code { (problem.code) } }
                    dt { "Status" } dd { (status.as_u16()) " " (status.canonical_reason().unwrap_or_default()) }
                    dt { "Retry without a change" } dd { @if problem.retryable() { "yes" } @else { "no" } }
                }
                h2 { "What it means" }
                (guide::render(problem.meaning))
                h2 { "What to do" }
                (guide::render(problem.remedy))
            }
        },
    ))
}

/// `/guide`: the list of chapters.
pub async fn guide() -> Response {
    page(
        "Guide",
        CSP,
        &html! {
            main {
                h1 { "Guide" }
                ol.chapters { @for chapter in guide::chapters() { li { (chapter.link()) span { (chapter.contents) } } } }
            }
        },
    )
}

/// `/guide/{page}`: one chapter.
///
/// # Errors
/// `not_found` if there is no such chapter.
pub async fn guide_page(Path(slug): Path<String>) -> Result<Response> {
    let chapter = guide::chapters().iter().find(|chapter| chapter.slug == slug).ok_or_else(Error::absent)?;
    Ok(page(
        &chapter.title,
        CSP,
        &html! {
            div.book {
                nav aria-label="Chapters" {
                    ol { @for other in guide::chapters() { li.here[other.slug == slug] { (other.link()) } } }
                }
                main { (chapter.text) }
            }
        },
    ))
}

/// A complete page with its headers.
fn page(title: &str, policy: &'static str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) @if title != "orderd" { " · orderd" } }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/assets/style.css";
            }
            body {
                header.top {
                    a.name href="/" { "orderd" }
                    nav aria-label="Pages" {
                        a href="/docs" { "API" }
                        a href="/guide" { "Guide" }
                        a href="/problems" { "Problems" }
                    }
                }
                (body)
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, markup.into_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, http::Request, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn fetch(address: &str) -> (u16, axum::http::HeaderMap, String) {
        let routes: Router = Router::new()
            .route("/", get(start))
            .route("/docs", get(docs))
            .route("/problems", get(problems))
            .route("/problems/{slug}", get(problem))
            .route("/guide", get(super::guide))
            .route("/guide/{page}", get(guide_page))
            .route("/assets/{*path}", get(file));
        let response = routes.oneshot(Request::get(address).body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn every_local_link_on_the_pages_works() {
        let elsewhere = ["/openapi.json", "/version", "/console"];
        let mut queue: Vec<String> = vec!["/".to_owned()];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(address) = queue.pop() {
            if elsewhere.contains(&address.as_str()) || !seen.insert(address.clone()) {
                continue;
            }
            let (status, headers, body) = fetch(&address).await;
            assert_eq!(status, 200, "{address}");
            if !headers["content-type"].to_str().unwrap().starts_with("text/html") {
                continue;
            }
            let links = ["href=\"", "src=\""].into_iter().flat_map(|attribute| body.split(attribute).skip(1));
            let addresses = links.filter_map(|rest| rest.split(['"', '#']).next());
            queue.extend(addresses.filter(|address| address.starts_with('/')).map(str::to_owned));
        }
        assert!(seen.len() > ALL.len() + 8, "{seen:?}");
        assert!(seen.contains("/assets/docs/swagger-ui-bundle.js"));
    }

    #[tokio::test]
    async fn pages_run_only_scripts_of_this_server() {
        for address in ["/", "/docs", "/problems", "/problems/not-found", "/guide", "/guide/architecture"] {
            let (_, headers, body) = fetch(address).await;
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; "), "{address}");
            assert_eq!(policy.contains("script-src 'self';"), address == "/docs", "{address}");
            assert!(!body.contains("<script>") && !body.contains(" style="), "{address}");
        }
    }

    #[tokio::test]
    async fn only_known_problems_and_chapters_have_pages() {
        let (_, _, body) = fetch("/problems/outcome-unknown").await;
        assert!(body.contains("<dd>503 Service Unavailable</dd>"), "{body}");
        assert!(body.contains("<dd>yes</dd>"), "{body}");
        for address in ["/problems/outcome_unknown", "/problems/x", "/guide/x", "/guide/01-architecture"] {
            assert_eq!(fetch(address).await.0, 404, "{address}");
        }
    }
}
