//! The only place that generates ids. All other code takes them as arguments.

use uuid::Uuid;

/// A new id: a version 7 UUID, so that later ids sort after earlier ones.
#[expect(clippy::disallowed_methods, reason = "this is the source of ids that other code uses")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<Uuid> = (0..1_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted());
    }
}
