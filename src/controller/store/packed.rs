//! The JSON of objects, packed. Objects of one kind are much alike, so each is packed as what differs from a model, which is
//! the longest of them so far: 1.9 kB become 0.12, where packed alone they would take 0.75.

use std::sync::Arc;

use miniz_oxide::{
    DataFormat,
    deflate::{
        CompressionLevel,
        core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output},
    },
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
    },
};
use parking_lot::Mutex;

/// The longest model: what lies back further than 32 kB cannot be referred to.
const LONGEST: usize = 16 * 1024;
/// A longer object becomes the model only if it is longer by more than one part in so many: objects keep their model.
const LONGER_BY: usize = 4;

/// Packs texts that are alike.
#[derive(Debug, Default)]
pub struct Packer(Mutex<Arc<Vec<u8>>>);

/// A packed text.
#[derive(Debug)]
pub struct Packed {
    model: Arc<Vec<u8>>,
    bytes: Box<[u8]>,
    length: usize,
}

impl Packer {
    /// Packs a text.
    pub fn pack(&self, text: &[u8]) -> Packed {
        let model = self.model_for(text);
        let mut bytes = Vec::new();
        let mut compressor =
            Box::new(CompressorOxide::with_format_and_level(DataFormat::Raw, CompressionLevel::DefaultLevel));
        // The model's own bytes are not kept: who unpacks has it.
        compress_to_output(&mut compressor, &model, TDEFLFlush::Sync, |_| true);
        let (status, _) = compress_to_output(&mut compressor, text, TDEFLFlush::Finish, |packed| {
            bytes.extend_from_slice(packed);
            true
        });
        debug_assert_eq!(status, TDEFLStatus::Done, "into memory, it always comes to its end");
        Packed { model, bytes: bytes.into(), length: text.len() }
    }

    fn model_for(&self, text: &[u8]) -> Arc<Vec<u8>> {
        let mut model = self.0.lock();
        if (model.len() + model.len() / LONGER_BY..=LONGEST).contains(&text.len()) {
            *model = Arc::new(text.to_vec());
        }
        model.clone()
    }
}

impl Packed {
    /// The text, unless it is damaged.
    pub fn unpack(&self) -> Option<Vec<u8>> {
        let start = self.model.len();
        let mut out = Vec::with_capacity(start + self.length);
        out.extend_from_slice(&self.model);
        out.resize(start + self.length, 0);
        let mut inflater = Box::<DecompressorOxide>::default();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, _, written) = decompress(&mut inflater, &self.bytes, &mut out, start, flags);
        (status == TINFLStatus::Done && written == self.length).then(|| out.split_off(start))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    /// The JSON of an object with so many words of a message.
    fn text(n: usize, words: usize) -> Vec<u8> {
        let message: Vec<String> = (0..words).map(|word| format!("word{}", word * word)).collect();
        json!({
            "metadata": {"name": format!("line-{n}"), "uid": format!("{:x}", n * 7_919)},
            "spec": {"phoneNumber": format!("+3361234{n:04}")},
            "status": {"conditions": [{"type": "Ready", "message": message.join(" ")}]},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn texts_of_every_length_come_back_whatever_the_model_was() {
        let shelf = Packer::default();
        let lengths = [0, 3, 40, 41, 3, 400, 4_000, 0, 20_000, 100];
        let texts: Vec<_> = lengths.iter().enumerate().map(|(n, words)| text(n, *words)).collect();
        let packed: Vec<_> = texts.iter().map(|text| shelf.pack(text)).collect();
        for (text, packed) in texts.iter().zip(packed) {
            assert_eq!(packed.unpack().unwrap(), *text);
        }
        assert_eq!(Packer::default().pack(b"").unpack().unwrap(), b"");
    }

    #[test]
    fn texts_that_are_alike_take_little_room() {
        let shelf = Packer::default();
        shelf.pack(&text(0, 100));
        let packed: Vec<_> = (1..100).map(|n| shelf.pack(&text(n, 100))).collect();
        let room: usize = packed.iter().map(|packed| packed.bytes.len()).sum();
        assert!(room < 99 * 60, "{room} for 99 texts of {}", text(1, 100).len());
    }

    #[test]
    fn a_damaged_text_is_noticed() {
        let mut packed = Packer::default().pack(&text(1, 100));
        packed.bytes = packed.bytes[..packed.bytes.len() - 3].into();
        assert!(packed.unpack().is_none());
    }

    #[test]
    fn the_model_changes_only_for_a_much_longer_text() {
        let shelf = Packer::default();
        let models: Vec<_> = [100, 101, 110, 20, 200].map(|words| shelf.pack(&text(1, words)).model.len()).into();
        assert!(models[..4].iter().all(|length| *length == models[0]) && models[4] > models[0], "{models:?}");
    }
}
