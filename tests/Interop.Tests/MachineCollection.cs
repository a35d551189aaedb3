namespace InterGuest.Interop.Tests;

/// <summary>Tests that need the machine's processors for themselves: one after the other.</summary>
[CollectionDefinition("machine", DisableParallelization = true)]
public sealed class MachineCollection;
