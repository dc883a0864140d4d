//! Who is told what happens on the stage.

use crate::model::moment::Moment;
use crate::page::telling::Controls;

/// Whoever watches.
pub trait Audience {
    /// Something happened.
    fn moment(&mut self, moment: &Moment);
    /// This is what can be done now, and what was done last.
    fn controls(&mut self, controls: Controls);
}
