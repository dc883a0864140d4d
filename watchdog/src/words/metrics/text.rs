//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::histogram::Histogram;

/// What a scrape is answered with.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether a page begins as every page of a sd-watchdog does.
pub fn is_page_of_ours(beginning: &[u8]) -> bool {
    beginning.starts_with(b"# HELP sd_watchdog_")
}

/// A page being written.
#[derive(Debug)]
pub struct Page<'a> {
    text: String,
    /// What every sample carries: `unit="x.service"`, or nothing.
    labels: &'a str,
}

/// How Prometheus treats a figure.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub fn new(labels: &'a str) -> Self {
        Self { text: String::with_capacity(8192), labels }
    }

    /// A figure that is one number.
    pub fn figure(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.figures(kind, name, help, [("", value)]);
    }

    /// A figure that is several, told apart by a label: `reason="timeout"`.
    pub fn figures<V: Display>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (impl AsRef<str>, V)>,
    ) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.head(kind, name, help);
        for (label, value) in values {
            self.sample(name, "", label.as_ref(), value);
        }
    }

    /// A histogram of durations.
    pub fn histogram<const N: usize>(&mut self, name: &str, help: &str, histogram: &Histogram<N>) {
        self.head("histogram", name, help);
        let mut count = 0;
        for (bound, so_far) in histogram.cumulative() {
            count = so_far;
            self.sample(name, "_bucket", &format!("le=\"{bound}\""), so_far);
        }
        self.sample(name, "_sum", "", Seconds(histogram.sum()));
        self.sample(name, "_count", "", count);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, kind: &str, name: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, suffix: &str, label: &str, value: impl Display) {
        let comma = if self.labels.is_empty() || label.is_empty() { "" } else { "," };
        let labels = self.labels;
        let _ = match (labels, label) {
            ("", "") => writeln!(self.text, "{name}{suffix} {value}"),
            _ => writeln!(self.text, "{name}{suffix}{{{labels}{comma}{label}}} {value}"),
        };
    }
}

/// In seconds, exactly.
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:09}", self.0.as_secs(), self.0.subsec_nanos());
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// `name="value"`, with what the format wants escaped.
pub fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_have_no_zeros_behind() {
        for (nanos, expected) in [
            (0, "0"),
            (1, "0.000000001"),
            (500_000, "0.0005"),
            (1_000_000_000, "1"),
            (10_500_000_000, "10.5"),
        ] {
            assert_eq!(Seconds(Duration::from_nanos(nanos)).to_string(), expected);
        }
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(label("unit", "a\\x2db@\"c\n.service"), r#"unit="a\\x2db@\"c\n.service""#);
    }

    #[test]
    fn a_sample_has_braces_only_around_labels() {
        for (labels, expected) in
            [("", "a 1\nb{c=\"d\"} 2\n"), ("u=\"x\"", "a{u=\"x\"} 1\nb{u=\"x\",c=\"d\"} 2\n")]
        {
            let mut page = Page::new(labels);
            page.figure(Kind::Counter, "a", "A.", 1);
            page.figures(Kind::Gauge, "b", "B.", [(label("c", "d"), 2)]);
            let samples: String =
                page.finish().split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
            assert_eq!(samples, expected);
        }
    }
}
