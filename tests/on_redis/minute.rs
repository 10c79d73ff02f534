//! Two replicas for a minute.
