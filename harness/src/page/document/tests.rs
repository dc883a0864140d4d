use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

fn a_live_one() -> String {
    live(&Live { title: "<b>one</b>", token: "t\"0", watchdog_sec: &[Duration::from_millis(1500)] })
}

fn a_still_one(tellings: Tellings) -> String {
    still(&Still { title: "<b>one</b>", policy: "default-src 'none'", tellings, plain: "1 < 2" })
}

/// The page without what is not markup.
fn markup(page: &str) -> String {
    page.replace(assets::script(), "").replace(assets::style(), "")
}

fn attributes(page: &str, name: &str) -> Vec<String> {
    let before = format!(" {name}=\"");
    page.split(&before).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn titles_and_tokens_are_text() {
    for page in [a_live_one(), a_still_one(Tellings::Json("[]"))] {
        assert!(page.contains("<title>&lt;b&gt;one&lt;/b&gt;</title>"), "{page}");
        assert!(!page.contains("<b>one"));
    }
    assert!(a_live_one().contains("<meta name=\"token\" content=\"t&quot;0\">"));
}

#[test]
fn what_is_told_cannot_end_its_element() {
    let page = a_still_one(Tellings::Json("[{\"message\":\"</script><script>alert(1)</script><!--\"}]"));
    let data = page
        .split("id=\"tellings\">")
        .nth(1)
        .and_then(|rest| rest.split("</script>").next())
        .expect("tellings");
    assert_eq!(data, "[{\"message\":\"\\u003c/script>\\u003cscript>alert(1)\\u003c/script>\\u003c!--\"}]");
    assert!(page.contains("<pre>1 &lt; 2</pre>"));
}

#[test]
fn what_is_packed_says_so() {
    let page = a_still_one(Tellings::Deflated("eJw="));
    assert!(page.contains("<script type=\"application/json;deflate\" id=\"tellings\">eJw=</script>"));
}

#[test]
fn neither_page_has_styles_or_handlers_in_its_markup() {
    for page in [a_live_one(), a_still_one(Tellings::Json("[]"))] {
        let markup = markup(&page);
        assert!(!markup.contains(" style="));
        for handler in [" onclick=", " onload=", " onerror=", " oninput="] {
            assert!(!markup.contains(handler), "{handler}");
        }
    }
    assert!(!a_live_one().contains("<style") && !markup(&a_live_one()).contains("<script>"));
}

#[test]
fn ids_are_unique_and_what_refers_to_them_finds_them() {
    for page in [a_live_one(), a_still_one(Tellings::Json("[]"))] {
        let page = markup(&page);
        let ids = attributes(&page, "id");
        let unique: BTreeSet<_> = ids.iter().cloned().collect();
        assert_eq!(ids.len(), unique.len(), "{ids:?}");
        for name in ["aria-labelledby", "for"] {
            for id in attributes(&page, name) {
                assert!(unique.contains(&id), "{name}={id}");
            }
        }
    }
}

#[test]
fn the_renderer_finds_what_it_asks_the_page_for() {
    let pages = markup(&(a_live_one() + &a_still_one(Tellings::Json("[]"))));
    let ids: BTreeSet<_> = attributes(&pages, "id").into_iter().collect();
    for asked in assets::script().split("byId('").skip(1).filter_map(|rest| rest.split('\'').next()) {
        assert!(ids.contains(asked), "{asked}");
    }
}

#[test]
fn only_a_live_page_has_what_needs_a_server() {
    let page = markup(&a_still_one(Tellings::Json("[]")));
    for word in ["href=\"/", "src=\"/", "id=\"tour\"", "id=\"controls\"", "name=\"token\""] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(!a_live_one().contains("id=\"verdicts\""));
}
