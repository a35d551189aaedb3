// Descriptors and mappings are counted per process, and the two cores are shared: one test at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
