use super::*;

fn parse(text: &[u8]) -> (Vec<String>, Vec<String>) {
    let lines = super::parse(text, &["Unit", "Service"]);
    let assigned = lines.assigned.iter().map(|Assigned { section, key, value, line }| {
        format!("{line} {}.{key}={value}", section.chars().next().expect("a name"))
    });
    let complaints = lines.complaints.iter().map(|Complaint { line, fault }| format!("{line} {fault}"));
    (assigned.collect(), complaints.collect())
}

#[track_caller]
fn check(text: impl AsRef<[u8]>, assigned: &[&str], complaints: &[&str]) {
    let text = text.as_ref();
    let found = parse(text);
    assert_eq!(found.0, assigned, "{}", String::from_utf8_lossy(text));
    let begins = |(found, expected): (&String, &&str)| found.starts_with(expected);
    assert!(
        found.1.len() == complaints.len() && found.1.iter().zip(complaints).all(begins),
        "{}: {:?}",
        String::from_utf8_lossy(text),
        found.1
    );
}

#[test]
fn a_line_ends_as_systemd_has_it() {
    for end in ["\n", "\r", "\0", "\r\n", "\n\r", "\n\0", "\r\n\0"] {
        let text = ["[Service]", "A=1", "B=2"].join(end);
        check(&text, &["2 S.A=1", "3 S.B=2"], &[]);
        check(text + end, &["2 S.A=1", "3 S.B=2"], &[]);
    }
    // What is no end of its own is the next one.
    check("[Service]\n\nA=1\0\nB=2", &["3 S.A=1", "5 S.B=2"], &[]);
}

#[test]
fn a_backslash_continues_a_line_if_it_is_not_escaped_itself() {
    for (text, expected) in [
        ("A=1 \\\n2\nB=3", &["3 S.A=1  2", "4 S.B=3"][..]),
        ("A=c:\\\\\nB=3", &["2 S.A=c:\\\\", "3 S.B=3"]),
        ("A=c:\\\\\\\nB=3", &["3 S.A=c:\\\\ B=3"]),
        // Before a blank it is not at the end.
        ("A=1\\ \nB=3", &["2 S.A=1\\", "3 S.B=3"]),
        ("A=1\\\n\\\n2\\\n\nB=3", &["5 S.A=1  2", "6 S.B=3"]),
        // Its count begins anew where a line was continued.
        ("A=1\\\n\\\\\nB=3", &["3 S.A=1 \\\\", "4 S.B=3"]),
        // Comments are none of the value, and are not continued.
        ("A=1 \\\n# 2 \\\n  ; x \\\n3\nB=4", &["5 S.A=1  3", "6 S.B=4"]),
        ("A=1 # no comment", &["2 S.A=1 # no comment"]),
        ("# A \\\nB=3", &["3 S.B=3"]),
        // The end of the file ends it.
        ("A=1 \\", &["3 S.A=1"]),
        ("A=1 \\\n[Unit]\nB=2", &["3 S.A=1  [Unit]", "4 S.B=2"]),
        ("A \\\n= 1", &["3 S.A=1"]),
        (" \t A\t=\t 1 2 \t", &["2 S.A=1 2"]),
        ("A==1=", &["2 S.A==1="]),
        ("A=", &["2 S.A="]),
    ] {
        check(format!("[Service]\n{text}"), expected, &[]);
    }
}

#[test]
fn one_byte_order_mark_is_passed_over_wherever_it_begins_a_line() {
    check("\u{feff}[Service]\nA=1", &["2 S.A=1"], &[]);
    check("[Service]\n\u{feff}A=1\n\u{feff}B=2", &["2 S.A=1", "3 S.\u{feff}B=2"], &[]);
    check("[Service]\n \u{feff}A=1", &["2 S.\u{feff}A=1"], &[]);
    check("[Service]\nA=1 \\\n\u{feff}2", &["3 S.A=1  2"], &[]);
    // It is no comment as long as the mark is there.
    check("\u{feff}# comment\n[Service]\nA=1", &["3 S.A=1"], &["1 the assignment is in no section"]);
}

#[test]
fn sections_count_for_what_follows_in_the_same_file() {
    check("A=1\n[Service]\nB=2", &["3 S.B=2"], &["1 the assignment is in no section"]);
    check("[Unit]\nA=1\n[Service]\nB=2\n[Unit]\nC=3", &["2 U.A=1", "4 S.B=2", "6 U.C=3"], &[]);
    check("[Other]\nA=1\n[Service]\nB=2", &["4 S.B=2"], &["1 there is no section [Other]"]);
    check("[X-Other]\nA=1\n[Service]\nB=2", &["4 S.B=2"], &[]);
    check("  [Service]  \nB=2", &["2 S.B=2"], &[]);
    check("[ Service ]\nB=2", &[], &["1 there is no section"]);
    check("[Service]\nA\n=1\nB=2", &["4 S.B=2"], &["2 there is no =", "3 there is nothing before"]);
}

#[test]
fn what_systemd_stops_at_ends_the_file() {
    check("[Service]\nA=1\n[Service\nB=2", &["2 S.A=1"], &["3 \"[Service\" is no section"]);
    check("[Service] # x\nB=2", &[], &["1 \"[Service] # x\" is no section"]);
    check("[Ser\"vice]\nB=2", &[], &["1 "]);
    check("[", &[], &["1 "]);
    check(b"[Service]\nA=1\nB=\xff\nC=2", &["2 S.A=1"], &["3 the line is not UTF-8"]);
    check("[Service]\nA=1\nB=\u{fffe}\nC=2", &["2 S.A=1"], &["3 the line is not UTF-8"]);
    check(b"[Service]\n# \xff\nC=2", &["3 S.C=2"], &[]);
}

#[test]
fn a_line_may_have_a_mebibyte() {
    let value = |length: usize| "x".repeat(length - 2);
    let most = value(LONGEST - 1);
    check(format!("[Service]\nA={most}\nB=2"), &[&format!("2 S.A={most}"), "3 S.B=2"], &[]);
    check(format!("[Service]\nA={}\nB=2", value(LONGEST)), &[], &["2 the line is too long"]);
    check(format!("[Service]\n#{}\nB=2", value(LONGEST + 2)), &[], &["2 the line is too long"]);
    let half = value(LONGEST / 2);
    check(format!("[Service]\nA={half}\\\n{half}xxxxx\nB=2"), &[], &["3 the line is too long"]);
    let joined = format!("3 S.A={half} {half}");
    check(format!("[Service]\nA={half}\\\n{half}\nB=2"), &[&joined, "4 S.B=2"], &[]);
}
