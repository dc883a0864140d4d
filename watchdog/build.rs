//! Puts what runs with every probe side by side: see `layout.ld`.

fn main() {
    println!("cargo::rerun-if-changed=layout.ld");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Who has chosen a linker may have chosen one that knows no such script.
    let is_usual_linker = !flags.contains("linker=") && !flags.contains("fuse-ld");
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is_usual_linker {
        let directory = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{directory}/layout.ld");
    }
}
