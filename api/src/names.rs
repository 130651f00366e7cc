//! Every name on the wire: labels, annotations, finalizers, lease names, field managers.
