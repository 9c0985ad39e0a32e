//! The runtime as a process that tests freeze and kill; see `app/process.rs`.

fn main() -> std::io::Result<()> {
    stagedoor_tests::app::process::run()
}
