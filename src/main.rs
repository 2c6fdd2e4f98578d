//! The executable: everything it does is in the library, where tests reach it.

fn main() -> std::process::ExitCode {
    orderd::cli::run()
}
