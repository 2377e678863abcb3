//! How much one stream may hold, all its documents together.
//!
//! Documents are held side by side until the last one is decorated, so bounds on each of
//! them would bound nothing.

/// Upper bound on the values of a stream, with those that aliases repeat: what is held
/// beside its texts takes 16 MiB at most.
pub(super) const MAX_NODES: usize = 200_000;

/// Upper bound on the text that anchors and aliases repeat in a stream.
const MAX_COPIED_BYTES: usize = 8 << 20;

/// Values and their texts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
}

/// The rest of a stream's bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    nodes: usize,
    copied_bytes: usize,
}

impl Budget {
    /// The bounds of a stream of which nothing has been read.
    pub(super) fn of_stream() -> Self {
        Self { nodes: MAX_NODES, copied_bytes: MAX_COPIED_BYTES }
    }

    /// Returns how many more values the stream may hold.
    pub(super) fn nodes(self) -> usize {
        self.nodes
    }

    /// Takes one value that is written in the stream.
    pub(super) fn take_node(&mut self) -> Result<(), String> {
        self.nodes = self.nodes.checked_sub(1).ok_or_else(too_many_nodes)?;
        Ok(())
    }

    /// Takes what an anchor keeps, or an alias repeats.
    pub(super) fn take_copy(&mut self, size: Size) -> Result<(), &'static str> {
        let left = (self.nodes.checked_sub(size.nodes), self.copied_bytes.checked_sub(size.bytes));
        let (Some(nodes), Some(copied_bytes)) = left else {
            return Err("anchors and aliases make too much of this stream");
        };
        *self = Self { nodes, copied_bytes };
        Ok(())
    }
}

/// Says that a stream is beyond [`MAX_NODES`].
pub(super) fn too_many_nodes() -> String {
    format!("the stream has more than {MAX_NODES} values")
}
