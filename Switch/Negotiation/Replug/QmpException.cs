namespace InterGuest.Switch.Negotiation.Replug;

/// <summary>QEMU did not do what it was asked on its QMP socket, or is not there.</summary>
public sealed class QmpException(string message) : Exception(message);
