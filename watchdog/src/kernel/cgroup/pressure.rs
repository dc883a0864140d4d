//! Psi stall information, as the kernel writes it (Documentation/accounting/psi.rst).

/// What was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    Cpu,
    Memory,
    Io,
}

impl Resource {
    /// In the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Io];

    /// Its file in a control group.
    pub fn file(self) -> &'static str {
        match self {
            Self::Cpu => "cpu.pressure",
            Self::Memory => "memory.pressure",
            Self::Io => "io.pressure",
        }
    }

    /// As people name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Io => "IO",
        }
    }
}

/// How much time was lost waiting for one resource.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Psi {
    /// At least one task waited.
    pub some: Stall,
    /// All tasks that were not idle waited. Kernels before 5.13 do not say it for the CPU.
    pub full: Option<Stall>,
}

/// Time lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stall {
    /// Percent of the last 10 s.
    pub avg10: f32,
    /// Microseconds since the group was made.
    pub total_usec: u64,
}

impl Psi {
    /// Reads a `*.pressure` file; [`None`] if it has no `some` line as the kernel writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let stall = |kind| text.lines().find_map(|line| Stall::parse(line.strip_prefix(kind)?));
        Some(Self { some: stall("some ")?, full: stall("full ") })
    }
}

impl Stall {
    fn parse(fields: &str) -> Option<Self> {
        let value = |key| {
            fields.split_ascii_whitespace().find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
        };
        Some(Self { avg10: value("avg10")?.parse().ok()?, total_usec: value("total")?.parse().ok()? })
    }
}
