//! The one place that makes ids. Everything else is given them.

use uuid::Uuid;

/// A new id: a UUID of version 7, so that ids made later sort later.
#[expect(clippy::disallowed_methods, reason = "this is the source of ids that the others ask")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_later_sort_later() {
        let ids: Vec<Uuid> = (0..1_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted());
    }
}
