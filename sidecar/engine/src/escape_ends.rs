//! The ends of what is masked among backslashes.
//!
//! A string within a string doubles its backslashes, so a match of a value that ends with
//! one ends within a run of them. What is left of the run must be what the levels need to
//! escape the character behind it: of `\\\\\"` in JSON within JSON four are the value's.

/// Minimum length of a match that is widened: a shorter one has no forms but its own.
const MIN_BYTES: usize = 8;

/// Levels of strings within strings that are told apart.
const MAX_LEVEL: usize = 7;

/// Maximum length of a run that is looked at.
const MAX_RUN_BYTES: usize = 1 << (MAX_LEVEL - 1);

/// Returns the length of the backslashes at the end.
fn backslashes<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take(MAX_RUN_BYTES + 1).take_while(|byte| **byte == b'\\').count()
}

/// Returns a match with all backslashes at its ends that belong to it.
pub(super) fn widened(window: &[u8], start: usize, stop: usize, is_end: bool) -> (usize, usize) {
    if stop - start < MIN_BYTES {
        return (start, stop);
    }
    (front(window, start), back(window, start, stop, is_end))
}

fn front(window: &[u8], start: usize) -> usize {
    let run = backslashes(window[..start].iter().rev());
    let is_escaped = matches!(window.get(start), Some(b'\\' | b'"'));
    if is_escaped && run <= MAX_RUN_BYTES { start - run } else { start }
}

fn back(window: &[u8], start: usize, stop: usize, is_end: bool) -> usize {
    let (Some(inside), Some(after)) = (window.get(start..stop), window.get(stop..)) else { return stop };
    let (inside, outside) = (backslashes(inside.iter().rev()), backslashes(after.iter()));
    let run = inside + outside;
    if inside == 0 || outside == 0 || run > MAX_RUN_BYTES {
        return stop;
    }
    let kept = match after.get(outside) {
        // Of a level with 2^n backslashes for one, a quote within has 2^n - 1, and the end
        // half as many.
        Some(b'"') => rest(inside, run, |level| [(level / 2).saturating_sub(1), level - 1]),
        Some(b'n' | b'r' | b't' | b'b' | b'f' | b'u' | b'/') => rest(inside, run, |level| [level / 2, 0]),
        Some(_) => 0,
        None if is_end => 0,
        None => outside,
    };
    stop + outside.saturating_sub(kept)
}

/// Returns how many backslashes of a run belong to what is behind a match with some of
/// them, which are the value's as they are or doubled.
fn rest(inside: usize, run: usize, rests: fn(usize) -> [usize; 2]) -> usize {
    let own = [inside / 2, inside].into_iter().filter(|own| *own == inside || 2 * own == inside);
    let at = |own: usize| {
        let levels = (0..MAX_LEVEL).map(|level| 1 << level);
        levels.flat_map(rests).zip(0..).find(|(rest, index)| (own << (index / 2)) + rest == run)
    };
    own.filter_map(at).map(|(rest, _)| rest).next().unwrap_or(0)
}
