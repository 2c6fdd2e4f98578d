//! The guide: the Markdown files of `assets/guide/`, in the order of their names. `02-money.md` is the page `money`, and
//! a link to the file in another chapter leads to that page.

use super::files::Assets;
use maud::{Markup, PreEscaped, html as markup};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::sync::LazyLock;

/// One page of the guide.
pub(super) struct Chapter {
    /// The file's name without number and extension.
    pub(super) slug: String,
    /// The first heading.
    pub(super) title: String,
    /// Ready to be shown.
    pub(super) text: Markup,
}

impl Chapter {
    fn new(file: &str, markdown: &str) -> Self {
        let slug = slug_of(file).to_owned();
        let title = markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(&slug).trim().to_owned();
        Self { title, text: render(markdown), slug }
    }

    /// A link to the chapter, with its title.
    pub(super) fn link(&self) -> Markup {
        markup! { a href={ "/guide/" (self.slug) } { (self.title) } }
    }
}

/// All chapters, in order.
pub(super) fn chapters() -> &'static [Chapter] {
    static CHAPTERS: LazyLock<Vec<Chapter>> = LazyLock::new(|| {
        let mut names: Vec<_> =
            Assets::iter().filter(|name| name.starts_with("guide/") && name.ends_with(".md")).collect();
        names.sort_unstable();
        let read = |name: &str| Assets::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned());
        names.iter().filter_map(|name| Some(Chapter::new(name.strip_prefix("guide/")?, &read(name)?))).collect()
    });
    &CHAPTERS
}

fn slug_of(file: &str) -> &str {
    let name = file.trim_end_matches(".md");
    match name.split_once('-') {
        Some((number, rest)) if number.bytes().all(|c| c.is_ascii_digit()) => rest,
        _ => name,
    }
}

/// Markdown (`CommonMark` with tables) as HTML. Only for text that is part of the program: HTML in it is kept.
pub(super) fn render(markdown: &str) -> Markup {
    let mut events: Vec<_> =
        Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).collect();
    for i in 0..events.len() {
        let anchor = anchor_of(&events[i..]);
        match &mut events[i] {
            Event::Start(Tag::Heading { id, .. }) => *id = Some(anchor.into()),
            Event::Start(Tag::Link { dest_url, .. }) => *dest_url = page_address(dest_url).into(),
            _ => {}
        }
    }
    let mut text = String::new();
    html::push_html(&mut text, events.into_iter());
    PreEscaped(text)
}

/// What a heading is called in addresses; `events` start with it.
fn anchor_of(events: &[Event<'_>]) -> String {
    let inside = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let words = inside.filter_map(|event| match event {
        Event::Text(words) | Event::Code(words) => Some(words.as_ref()),
        _ => None,
    });
    let name = words.collect::<String>().to_lowercase();
    let parts: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// Where a link of a chapter leads when it is read here: `02-money.md#yen` is `/guide/money#yen`.
fn page_address(target: &CowStr<'_>) -> String {
    let (file, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
    if file.ends_with(".md") && !file.contains('/') {
        format!("/guide/{}{anchor}", slug_of(file))
    } else {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_come_in_the_order_of_their_files() {
        let first = &chapters()[0];
        assert_eq!((first.slug.as_str(), first.title.as_str()), ("architecture", "Architecture"));
        assert!(chapters().iter().all(|chapter| chapter.text.0.starts_with("<h1 id=\"")));
        assert_eq!(slug_of("decisions.md"), "decisions");
        assert_eq!(slug_of("12-write-path.md"), "write-path");
        assert_eq!(slug_of("write-path.md"), "write-path");
    }

    #[test]
    fn headings_have_anchors_and_files_become_pages() {
        let text = render(
            "## The `ETag`, again\n\n[yen](02-money.md#yen) [site](https://example.org/x.md)\n\n|a|\n|-|\n|b|\n",
        )
        .0;
        assert!(text.starts_with("<h2 id=\"the-etag-again\">The <code>ETag</code>, again</h2>"), "{text}");
        assert!(
            text.contains("<a href=\"/guide/money#yen\">yen</a> <a href=\"https://example.org/x.md\">site</a>"),
            "{text}"
        );
        assert!(text.contains("<td>b</td>"), "{text}");
    }
}
