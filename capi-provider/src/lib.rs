//! capi-provider
