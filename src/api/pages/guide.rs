//! The guide: the Markdown files of `assets/guide/`, in the order of their names. The file `02-money.md` is the page
//! `money`, and a link to the file in another chapter becomes a link to the page.

use super::files::Assets;
use maud::{Markup, PreEscaped, html as markup};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::sync::LazyLock;

/// One page of the guide.
pub(super) struct Chapter {
    /// The file name without its number and extension.
    pub(super) slug: String,
    /// The text of the first heading.
    pub(super) title: String,
    /// One line about it, as README.md has it.
    pub(super) contents: &'static str,
    /// The chapter as HTML.
    pub(super) text: Markup,
}

impl Chapter {
    fn new(name: &str, markdown: &str) -> Self {
        let slug = slug_of(name).to_owned();
        let title = markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(&slug).trim().to_owned();
        let row = README.split_once(&format!("](assets/guide/{name}.md) | "));
        let contents = row.and_then(|(_, rest)| rest.split_once(" |")).map_or("", |(contents, _)| contents);
        Self { title, contents, text: render(markdown), slug }
    }

    /// A link with the title of the chapter.
    pub(super) fn link(&self) -> Markup {
        markup! { a href={ "/guide/" (self.slug) } { (self.title) } }
    }
}

const CHANGELOG: &str = include_str!("../../../CHANGELOG.md");
/// It has the tour, and a list of chapters with a line about each.
const README: &str = include_str!("../../../README.md");

/// The tour takes the place of this line in a chapter, because the binary alone has no README.
const TOUR: &str = "<!-- the tour of README.md -->\n";

/// The tour of the README, without its heading.
fn tour() -> &'static str {
    let (_, after) = README.split_once("\n## A tour in five minutes\n").unwrap_or_default();
    after.split_once("\n## ").map_or(after, |(tour, _)| tour)
}

/// All chapters in order, followed by the changelog.
pub(super) fn chapters() -> &'static [Chapter] {
    static CHAPTERS: LazyLock<Vec<Chapter>> = LazyLock::new(|| {
        let mut names: Vec<_> = Assets::iter().filter(|name| name.starts_with("guide/")).collect();
        names.sort_unstable();
        let chapter = |path: &str| {
            let name = path.strip_prefix("guide/")?.strip_suffix(".md")?;
            let file = Assets::get(path)?;
            Some(Chapter::new(name, &String::from_utf8_lossy(&file.data).replace(TOUR, tour())))
        };
        let changelog = Chapter { contents: "the changes of each version", ..Chapter::new("changelog", CHANGELOG) };
        names.iter().filter_map(|path| chapter(path)).chain([changelog]).collect()
    });
    &CHAPTERS
}

fn slug_of(name: &str) -> &str {
    match name.split_once('-') {
        Some((number, rest)) if number.bytes().all(|c| c.is_ascii_digit()) => rest,
        _ => name,
    }
}

/// Converts Markdown (`CommonMark` with tables) to HTML. The text must be part of the program, because HTML in it is
/// not escaped.
pub(super) fn render(markdown: &str) -> Markup {
    let mut events: Vec<_> =
        Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).collect();
    for i in 0..events.len() {
        let anchor = anchor_of(&events[i..]);
        match &mut events[i] {
            Event::Start(Tag::Heading { id, .. }) => *id = anchor.map(CowStr::from),
            Event::Start(Tag::Link { dest_url, .. }) => *dest_url = page_address(dest_url).into(),
            Event::Start(Tag::Image { dest_url, .. }) => *dest_url = picture_address(dest_url).into(),
            _ => {}
        }
    }
    let mut text = String::new();
    html::push_html(&mut text, events.into_iter());
    // Text never contains these tags, because it is escaped. What can scroll sideways can be reached with the keyboard.
    let text = text.replace("<pre>", "<pre tabindex=\"0\">").replace("<th></th>", "<td></td>");
    let text = text.replace("<table>", "<div class=\"wide\" tabindex=\"0\"><table>");
    PreEscaped(text.replace("</table>", "</table></div>"))
}

/// The anchor of the heading at the start of `events`, if there is one.
fn anchor_of(events: &[Event<'_>]) -> Option<String> {
    let [Event::Start(Tag::Heading { .. }), inside @ ..] = events else { return None };
    let inside = inside.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let words = inside.filter_map(|event| match event {
        Event::Text(words) | Event::Code(words) => Some(words.as_ref()),
        _ => None,
    });
    let name = words.collect::<String>().to_lowercase();
    let parts: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    Some(parts.join("-"))
}

/// The address on this server of a link in a chapter: `02-money.md#yen` becomes `/guide/money#yen`.
fn page_address(target: &CowStr<'_>) -> String {
    let (file, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
    match file.strip_suffix(".md") {
        Some("../../CHANGELOG") => format!("/guide/changelog{anchor}"),
        Some(name) if !name.contains('/') => format!("/guide/{}{anchor}", slug_of(name)),
        _ => target.to_string(),
    }
}

/// The address on this server of a picture in a chapter: `../pictures/x.png` becomes `/assets/pictures/x.png`.
fn picture_address(target: &CowStr<'_>) -> String {
    target.strip_prefix("../pictures/").map_or_else(|| target.to_string(), |name| format!("/assets/pictures/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_are_in_the_order_of_their_files() {
        let first = &chapters()[0];
        assert_eq!((first.slug.as_str(), first.title.as_str()), ("first-steps", "First steps"));
        assert!(first.text.0.contains("Place an order twice"), "the tour is missing");
        assert_eq!(chapters().last().map(|last| last.slug.as_str()), Some("changelog"));
        assert_eq!(page_address(&"../../CHANGELOG.md".into()), "/guide/changelog");
        assert!(chapters().iter().all(|chapter| chapter.text.0.starts_with("<h1 id=\"")));
        let without_a_line = chapters().iter().filter(|chapter| chapter.contents.is_empty());
        assert_eq!(without_a_line.map(|chapter| &chapter.slug).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(slug_of("decisions"), "decisions");
        assert_eq!(slug_of("12-write-path"), "write-path");
        assert_eq!(slug_of("write-path"), "write-path");
    }

    #[test]
    fn headings_get_anchors_and_links_to_files_become_links_to_pages() {
        let text = render(
            "## The `ETag`, again\n\n[yen](02-money.md#yen) [site](https://example.org/x.md)\n\n|a|\n|-|\n|b|\n",
        )
        .0;
        assert!(text.starts_with("<h2 id=\"the-etag-again\">The <code>ETag</code>, again</h2>"), "{text}");
        assert!(
            text.contains("<a href=\"/guide/money#yen\">yen</a> <a href=\"https://example.org/x.md\">site</a>"),
            "{text}"
        );
        assert!(text.contains("<div class=\"wide\" tabindex=\"0\"><table>"), "{text}");
        assert!(text.contains("<td>b</td>") && text.contains("</table></div>"), "{text}");
        assert!(render("||b|\n|-|-|\n|c|d|\n").0.contains("<tr><td></td><th>b</th></tr>"));
        assert_eq!(render("    <pre>\n").0, "<pre tabindex=\"0\"><code>&lt;pre&gt;\n</code></pre>\n");
        assert!(render("![x](../pictures/x.png)").0.contains("src=\"/assets/pictures/x.png\""));
    }
}
