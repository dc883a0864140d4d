//! Gives back the pages of the program and its libraries that only the start needed.
//!
//! The kernel maps the pages around each that is touched, so most of the program is resident once the command line is
//! taken apart and all is set up; so is much of the libraries, once the dynamic linker has seen to them. From READY on a
//! small part of it runs. What is given back is clean and comes from the file again when it is touched. PSS
//! charges shared pages to every sd-watchdog, and there is one for each service.

use std::fs;
use std::io;
use std::ops::Range;

use crate::kernel::raw;

/// Gives them back; how many bytes.
pub fn release_startup() -> io::Result<usize> {
    let smaps = fs::read_to_string("/proc/self/smaps")?;
    let mappings = clean_mappings(&smaps);
    for mapping in &mappings {
        raw::forget_clean_pages(mapping)?;
    }
    // The command line's grammar, mostly, and the file read above.
    raw::trim_heap();
    Ok(mappings.iter().map(ExactSizeIterator::len).sum())
}

/// The mappings of files that are not writable and of which no page was ever written: proc_pid_smaps(5). What the dynamic
/// linker has relocated is not among them, though it is read-only by now.
fn clean_mappings(smaps: &str) -> Vec<Range<usize>> {
    let mut mappings = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        if let Some(mapping) = mapping(line) {
            candidate =
                Some(mapping).filter(|(_, rights, path)| !rights.contains('w') && path.starts_with('/'));
        } else if let Some(written) = line.strip_prefix("Anonymous:")
            && written.trim() != "0 kB"
        {
            candidate = None;
        } else if let Some(written) = line.strip_prefix("Swap:")
            && let Some((range, ..)) = candidate.take()
            && written.trim() == "0 kB"
        {
            // Both lines, in this order: what was written may be in memory or swapped out.
            mappings.push(range);
        }
    }
    mappings
}

/// `55d0-55e0 r-xp 00122000 fe:00 5343712    /usr/bin/sd-watchdog`
fn mapping(line: &str) -> Option<(Range<usize>, &str, &str)> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let rights = fields.next()?;
    let path = fields.nth(3)?.trim_start();
    Some((range, rights, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-2000 r--p 00000000 fe:00 77                         /usr/bin/sd-watchdog
Rss:                   4 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
2000-6000 r-xp 00001000 fe:00 77                         /usr/bin/sd-watchdog
Anonymous:             0 kB
Swap:                  0 kB
6000-7000 r--p 00005000 fe:00 77                         /usr/bin/sd-watchdog
Anonymous:             4 kB
Swap:                  0 kB
7000-8000 rw-p 00006000 fe:00 77                         /usr/bin/sd-watchdog
Anonymous:             0 kB
Swap:                  0 kB
8000-9000 rw-p 00000000 00:00 0                          [heap]
Anonymous:             0 kB
Swap:                  0 kB
a000-b000 r-xp 00000000 fe:00 78                         /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
c000-d000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
d000-e000 r--p 00000000 fe:00 79                         /usr/lib/libm.so.6
Anonymous:             0 kB
Swap:                  4 kB
";

    #[test]
    fn only_what_was_never_written_of_a_file_is_given_back() {
        assert_eq!(clean_mappings(SMAPS), [0x1000..0x2000, 0x2000..0x6000, 0xa000..0xb000]);
        assert!(clean_mappings("nonsense\n-\nx-y r-xp").is_empty());
    }

    #[test]
    fn a_process_goes_on_after_it_has_given_back_what_it_runs_from() {
        let released = release_startup().expect("our own mappings");
        assert!(released > 64 * 1024, "{released}");
    }
}
