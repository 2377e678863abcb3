//! The one table of exit statuses and marker codes.
//!
//! A *marker code* is the decimal number in an entry's marker file; it may be
//! larger than an exit status can be. An *exit status* is what a program
//! returns to whoever started it.

/// Success, as marker code and exit status.
pub const SUCCESS: i32 = 0;

/// Exit status of every program for options that cannot work, and for a failed delivery
/// with `fail_on_error`.
pub const EXIT_FAILURE: u8 = 1;

/// Exit status for command-line syntax errors.
pub const EXIT_USAGE: u8 = 2;

/// Marker code of a test that could not be started, of a timeout and of an
/// error inside entrypoint. Upstream's value; the report tells them apart.
pub const INTERNAL_ERROR: i32 = 127;

/// Marker code of a test that an outside signal ended (128 + SIGINT).
pub const ABORTED: i32 = 130;

/// Marker code of a test that was not started because the entry before it
/// failed or was lost.
pub const PREVIOUS_FAILED: i32 = 1130;

/// Returns marker code and exit status of a process that died of signal number `signal`,
/// as shells report it.
pub const fn died_of(signal: i32) -> i32 {
    128 + signal
}

/// Returns the exit status for a marker code: the code modulo 256, as the kernel
/// truncates it (1130 becomes 106).
pub const fn exit_status(code: i32) -> u8 {
    code.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_status_is_the_code_modulo_256() {
        assert_eq!(exit_status(0), 0);
        assert_eq!(exit_status(130), 130);
        assert_eq!(exit_status(PREVIOUS_FAILED), 106);
        assert_eq!(exit_status(-1), 255);
    }

    #[test]
    fn a_kill_is_137() {
        assert_eq!(died_of(9), 137);
    }
}
