//! Puts what runs with every probe side by side: see `layout.ld`.

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
    }
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
