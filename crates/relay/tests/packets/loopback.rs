//! The usual stage.

use rtp::Library;

use crate::stage::Stage;

/// A relay on 127.0.0.1 whose calls are not recorded.
pub(crate) fn on_loopback(library: Library) -> Stage {
    Stage::new(&["127.0.0.1"], library, "/nowhere".into())
}
