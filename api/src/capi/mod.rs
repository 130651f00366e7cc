//! cluster.x-k8s.io: the parts of Cluster API's own kinds that this project reads and writes.
