//! A trial's phases as bars, to scale.

use std::time::Duration;

use crate::model::clock::{Human, Usec};
use crate::model::phase::Span;
use crate::model::timeline::Timeline;

/// Eighths of a cell, filled from the left.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const LABEL: usize = 11;
const LENGTH: usize = 10;

/// A stretch of time laid out over so many cells.
pub struct Scale {
    from: Usec,
    to: Usec,
    cells: usize,
}

impl Scale {
    /// The scale of a timeline, in a terminal of `columns`; `None` when nothing happened over time.
    pub fn of(timeline: &Timeline, columns: usize) -> Option<Self> {
        let spans = || timeline.phases.iter().map(|(_, span)| span);
        let from = spans().map(|span| span.from).min()?.min(timeline.origin);
        let to = spans().map(|span| span.to).max().filter(|to| *to > from)?;
        Some(Self { from, to, cells: columns.saturating_sub(LABEL + LENGTH + 2).max(20) })
    }

    /// Eighths of cells from the left edge.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a screen"
    )]
    fn eighths(&self, at: Usec) -> usize {
        let part = (at - self.from).as_secs_f64() / (self.to - self.from).as_secs_f64();
        (part * (self.cells * 8) as f64).round() as usize
    }

    /// Two lines: the times, and the axis below them. Time zero is the origin of `timeline`.
    pub fn axis(&self, origin: Usec) -> [String; 2] {
        let step = self.step();
        let mut labels = vec![' '; LABEL + self.cells + LENGTH];
        let mut axis = vec!['─'; self.cells + 1];
        let ticks = std::iter::successors(Some(origin), |at| {
            let next = *at + step;
            // At the end of time it is the same moment again.
            (next > *at).then_some(next)
        });
        for at in ticks.take_while(|at| *at <= self.to) {
            let cell = (self.eighths(at) / 8).min(self.cells);
            axis[cell] = '┬';
            let label = if at == origin { "0".into() } else { Human(at - origin).to_string() };
            let start = LABEL + cell;
            let free = label.chars().count() + start <= labels.len();
            if free {
                labels.splice(start..start + label.chars().count(), label.chars());
            }
        }
        let text = |cells: Vec<char>| cells.into_iter().collect::<String>().trim_end().to_owned();
        [text(labels), format!("{:LABEL$}{}", "", text(axis))]
    }

    /// The distance of ticks: 1, 2 or 5 times a power of ten, about five of them.
    fn step(&self) -> Duration {
        let wanted = (self.to - self.from) / 5;
        let steps =
            (0..10).flat_map(|power| [1, 2, 5].map(|digit| Duration::from_micros(digit * 10u64.pow(power))));
        steps.into_iter().find(|step| *step >= wanted).unwrap_or(wanted)
    }

    /// A bar from `span.from` to `span.to`, and its length. The shortest is still seen.
    pub fn bar(&self, span: Span) -> String {
        let (from, to) = (self.eighths(span.from), self.eighths(span.to));
        let to = to.max(from + 1);
        let cells = (0..=self.cells).map(|cell| {
            let (left, right) = (cell * 8, cell * 8 + 8);
            match (from.max(left), to.min(right)) {
                (start, end) if start >= end => ' ',
                // Partial cells are filled from the left; only a half and an eighth exist for the right edge.
                (start, end) if end == right => match end - start {
                    1..=2 => '▕',
                    3..=5 => '▐',
                    _ => '█',
                },
                (start, end) => EIGHTHS[end - start],
            }
        });
        cells.collect::<String>().trim_end().to_owned()
    }

    /// How many cells wide a bar's field is.
    pub fn width(&self) -> usize {
        self.cells + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(to: u64, cells: usize) -> Scale {
        Scale { from: Usec(0), to: Usec(to), cells }
    }

    #[test]
    fn bars_are_to_scale_and_never_vanish() {
        let scale = scale(1000, 10);
        let bar = |from, to| scale.bar(Span { from: Usec(from), to: Usec(to) });
        assert_eq!(bar(0, 1000), "██████████");
        assert_eq!(bar(0, 250), "██▌");
        assert_eq!(bar(250, 500), "  ▐██");
        assert_eq!(bar(500, 501), "     ▏");
        assert_eq!(bar(1000, 1000), "          ▏");
    }

    #[test]
    fn the_axis_starts_at_the_injection_and_has_round_steps() {
        let [labels, axis] = scale(2_000_000, 40).axis(Usec(0));
        assert_eq!(
            labels.split_whitespace().collect::<Vec<_>>(),
            ["0", "500", "ms", "1", "s", "1.5", "s", "2", "s"]
        );
        assert_eq!(axis.matches('┬').count(), 5);
    }
}
