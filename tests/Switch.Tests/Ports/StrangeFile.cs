using System.Runtime.CompilerServices;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Descriptors that a sane front-end does not send.</summary>
internal static class StrangeFile
{
    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern FileDescriptor Make(int number);

    /// <summary>An ordinary file's descriptor.</summary>
    public static FileDescriptor Open(string path, FileAccess access = FileAccess.ReadWrite)
    {
        var mode = access == FileAccess.Read ? FileMode.Open : FileMode.OpenOrCreate;
        using var handle = File.OpenHandle(path, mode, access, FileShare.ReadWrite);
        var file = Make((int)handle.DangerousGetHandle());
        handle.SetHandleAsInvalid(); // the number is the other's now
        return file;
    }
}
