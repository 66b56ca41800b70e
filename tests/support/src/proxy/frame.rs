//! Where a command or a reply ends.

/// How much is missing of a command or reply, byte by byte: replies may be larger than any buffer.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// The line that is being read: the kind of a value, and its length or the value.
    line: Vec<u8>,
    /// How much of a string is still to come.
    skip: usize,
    /// How many values are still to come, for every array around.
    open: Vec<usize>,
}

impl Frame {
    pub(super) fn is_at_start(&self) -> bool {
        self.line.is_empty() && self.skip == 0 && self.open.is_empty()
    }

    pub(super) fn is_push(&self, bytes: &[u8]) -> bool {
        self.is_at_start() && bytes.first() == Some(&b'>')
    }

    /// What belongs to this frame, what does not, and whether the frame ends between them.
    pub(super) fn split<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8], bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len() - at);
                self.skip -= skipped;
                at += skipped;
                if self.skip > 0 || !self.end_of_value() {
                    continue;
                }
            } else {
                at += 1;
                self.line.push(*byte);
                if *byte != b'\n' || !self.end_of_line() {
                    continue;
                }
            }
            let (part, rest) = bytes.split_at(at);
            return (part, rest, true);
        }
        (bytes, &[], false)
    }

    /// Whether the frame ends with this line.
    fn end_of_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let (kind, rest) = line.split_first().unwrap();
        let number = std::str::from_utf8(rest).ok();
        let number = number.and_then(|text| text.trim().parse::<usize>().ok());
        match (kind, number) {
            (b'$' | b'=' | b'!', Some(length)) => {
                self.skip = length + 2;
                false
            }
            (b'*' | b'~' | b'>', Some(count)) if count > 0 => {
                self.open.push(count);
                false
            }
            (b'%', Some(count)) if count > 0 => {
                self.open.push(2 * count);
                false
            }
            _ => self.end_of_value(),
        }
    }

    fn end_of_value(&mut self) -> bool {
        while let Some(count) = self.open.last_mut() {
            *count -= 1;
            if *count > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}
