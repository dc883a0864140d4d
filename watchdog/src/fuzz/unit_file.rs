//! What the fuzz target `unit_file` calls: a unit that somebody wrote, and what we promise about reading it.

use crate::unit::{Unit, UnitName, Value};

/// Reads the bytes as a unit's own file and, behind the first `0xfe`, which no unit has, as a drop-in. What is said of a
/// directive can be written into another unit, and means the same there.
///
/// # Panics
///
/// Where what we promise does not hold.
pub fn unit_file(input: &[u8]) {
    let (own, drop_in) = match input.iter().position(|byte| *byte == 0xfe) {
        Some(place) => (&input[..place], &input[place + 1..]),
        None => (input, &[][..]),
    };
    let name = UnitName::new("a-b@c").expect("a name");
    let unit = Unit::of_texts(&name, [("/own", own), ("/drop-in", drop_in)]);
    let alone = unit.without(|file| file.path.as_os_str() == "/drop-in");
    assert_eq!(alone.files.len(), 1, "a file too many was left out");
    let commands = unit.commands("ExecStart");
    if commands.is_empty() {
        return;
    }
    let written = Value::Commands(commands.to_vec()).to_string();
    let again = Unit::of_texts(&name, [("/again", format!("[Service]\nExecStart={written}\n").as_bytes())]);
    let again = again.commands("ExecStart");
    assert_eq!(again.len(), commands.len(), "{written}");
    for (again, command) in again.iter().zip(commands) {
        assert!(again.fits(command), "{written}: {again:?}, {command:?}");
    }
}
