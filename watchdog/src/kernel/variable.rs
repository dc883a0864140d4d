//! A variable in the environment of a process that is about to be started.

use std::ffi::{CString, NulError, OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

/// The value of a variable of a process to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// This.
    Text(OsString),
    /// The pid of the process itself.
    OwnPid,
}

/// `NAME=VALUE`, ready to be handed to execve(2); the value may be the pid of the process that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Ends with NUL.
    bytes: Vec<u8>,
    /// Where the pid goes: room for [`DIGITS`] and a NUL.
    hole: Option<usize>,
}

/// Of the greatest `u32`.
const DIGITS: usize = 10;

impl Variable {
    pub fn new(name: &OsStr, value: &Value) -> Result<Self, NulError> {
        let mut entry = name.to_owned();
        entry.push("=");
        let hole = match value {
            Value::Text(text) => {
                entry.push(text);
                None
            }
            Value::OwnPid => Some(entry.len()),
        };
        let mut bytes = CString::new(entry.into_vec())?.into_bytes_with_nul();
        if let Some(hole) = hole {
            bytes.resize(hole + DIGITS + 1, 0);
        }
        Ok(Self { bytes, hole })
    }

    /// As the process `pid` is to have it. Neither allocates nor panics: it is called between fork and exec.
    pub fn of_process(&mut self, pid: u32) -> &std::ffi::CStr {
        if let Some(room) = self.hole.and_then(|hole| self.bytes.get_mut(hole..)) {
            write_decimal(pid, room);
        }
        std::ffi::CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

fn write_decimal(number: u32, room: &mut [u8]) {
    let mut digits = [b'0'; DIGITS];
    let mut rest = number;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' | u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    for (to, from) in room.iter_mut().zip(digits.iter().skip(DIGITS - length)) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_names_the_process_gets_its_pid_in_the_process() {
        for pid in [0, 1, 9, 10, 42, 4_194_304, u32::MAX] {
            let mut variable = Variable::new(OsStr::new("LISTEN_PID"), &Value::OwnPid).unwrap();
            let before = variable.bytes.as_ptr();
            let entry = variable.of_process(pid).to_str().unwrap().to_owned();
            assert_eq!(entry, format!("LISTEN_PID={pid}"));
            assert_eq!(before, variable.bytes.as_ptr(), "nothing is allocated");
        }
    }

    #[test]
    fn other_variables_stay_as_they_are() {
        let mut variable = Variable::new(OsStr::new("A"), &Value::Text("b=c".into())).unwrap();
        assert_eq!(variable.of_process(7), c"A=b=c");
        assert!(Variable::new(OsStr::new("A"), &Value::Text("b\0c".into())).is_err());
    }
}
