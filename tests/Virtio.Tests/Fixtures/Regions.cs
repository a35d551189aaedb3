using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>Regions of guest memory over named memory files, so that /proc tells whether they are mapped.</summary>
internal sealed class Regions : IDisposable
{
    internal const ulong Page = 4096;

    private readonly List<FileDescriptor> _files = [];

    /// <summary>Contained in the names of all files.</summary>
    internal string Name { get; } = Fds.UniqueName("regions");

    /// <summary>How many mappings there are of these files.</summary>
    internal int Mapped => Fds.CountMapped(Name);

    public void Dispose() => _files.ForEach(f => f.Dispose());

    internal FileDescriptor File(ulong size = Page, string suffix = "")
    {
        _files.Add(MemFd.Create(Name + suffix, (long)size));
        return _files[^1];
    }

    /// <summary>Adds a region that must be fine, and releases the table before.</summary>
    internal GuestMemory Add(GuestMemory memory, ulong guest, ulong size, ulong user, ulong offset = 0, FileDescriptor? file = null)
    {
        var next = memory.TryAdd(new RegionLayout(guest, size, user, offset), file ?? File(size + offset), out string why);
        Assert.True(next != null, why);
        memory.Release();
        return next;
    }

    /// <summary>Adds a region that must be refused, which must cost nothing.</summary>
    /// <returns>The reason.</returns>
    internal string Refused(GuestMemory memory, ulong guest, ulong size, ulong user, ulong offset = 0, FileDescriptor? file = null)
    {
        file ??= File();
        int mapped = Mapped;
        Assert.Null(memory.TryAdd(new RegionLayout(guest, size, user, offset), file, out string why));
        Assert.Equal(mapped, Mapped);
        Assert.NotEqual("", why);
        return why;
    }
}
