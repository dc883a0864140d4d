//! Puts what runs with every probe side by side (see `layout.ld`), and writes relocations down in a twentieth of the room
//! (`DT_RELR`), where that can be read.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=layout.ld");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is_usual_linker() {
        let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        let script = format!("{directory}/layout.ld");
        // Not -Wl: a comma in the path would end it.
        for argument in ["-Xlinker", "-T", "-Xlinker", &script] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
        if reads_packed_relocations() {
            for argument in ["-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"] {
                println!("cargo::rustc-link-arg-bins={argument}");
            }
        }
    }
}

/// glibc 2.36 and later do; who links to that here runs with no older one. GNU ld writes them since 2.38.
fn reads_packed_relocations() -> bool {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let is_for_here = variable("HOST") == variable("TARGET") && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_static = variable("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    let is_new = |program: &str, argument: &str, least: (u32, u32)| {
        let said =
            Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
        version(&String::from_utf8_lossy(&said)).is_some_and(|version| version >= least)
    };
    is_for_here
        && !is_static
        && is_new("getconf", "GNU_LIBC_VERSION", (2, 36))
        && is_new("cc", "-Wl,--version", (2, 38))
}

/// `2.40` of the first line, which it ends: `GNU ld (GNU Binutils for Debian) 2.40`, `glibc 2.36`.
fn version(said: &str) -> Option<(u32, u32)> {
    let (major, minor) = said.lines().next()?.split_whitespace().last()?.split_once('.')?;
    let minor = minor.split(|char: char| !char.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// GNU ld and lld know such a script; gold and mold do not. Who has chosen a linker may have chosen one of these.
fn is_usual_linker() -> bool {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_chosen =
        ["linker=", "fuse-ld", "ld-path", "link-arg=-B"].iter().any(|choice| flags.contains(choice));
    let version =
        Command::new("cc").arg("-Wl,--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let is_known = version.starts_with("GNU ld") || version.contains("LLD");
    !is_chosen && std::env::var_os("RUSTC_LINKER").is_none() && is_known
}
