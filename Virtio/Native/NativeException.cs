using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Native;

/// <summary>A call into the operating system failed.</summary>
public sealed class NativeException : IOException
{
    internal NativeException(string operation, int error)
        : base($"{operation}: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})")
    {
        Operation = operation;
        Error = error;
    }

    /// <summary>What was tried, e.g. <c>bind /run/x.sock</c>.</summary>
    public string Operation { get; }

    /// <summary>The <c>errno</c> value.</summary>
    public int Error { get; }

    /// <summary>Whether it is a matter of rights (EACCES, EPERM).</summary>
    public bool IsPermissionDenied => Error is Libc.EACCES or Libc.EPERM;

    /// <summary>Whether somebody else has it (EBUSY).</summary>
    public bool IsBusy => Error == Libc.EBUSY;

    /// <summary>Whether it is not there (ENOENT, ENODEV).</summary>
    public bool IsNotFound => Error is Libc.ENOENT or Libc.ENODEV;

    /// <summary>Whether it makes no sense (EINVAL).</summary>
    public bool IsInvalid => Error == Libc.EINVAL;

    /// <summary>The reason alone, in words, e.g. <c>Permission denied</c>.</summary>
    public string Reason => Marshal.GetPInvokeErrorMessage(Error);
}
