using System.Buffers.Binary;

namespace InterGuest.Virtio.Native;

/// <summary>How an image is written.</summary>
public enum ImageMode
{
    /// <summary>Not at all.</summary>
    ReadOnly,

    /// <summary>Past the page cache where the file system can, and on the medium when a write returns.</summary>
    Durable,

    /// <summary>Through the page cache; on the medium after <see cref="ImageFile.Flush"/>.</summary>
    Cached,
}

/// <summary>
/// The medium of a disk: a raw file or a block device. Every operation returns an errno, 0 for none: the medium's faults
/// are a client's to hear of, and no exceptions. Operations may run on many threads at once.
/// </summary>
public sealed unsafe class ImageFile : IDisposable
{
    private const nuint BLKGETSIZE64 = 0x80081272, BLKSSZGET = 0x1268, BLKPBSZGET = 0x127b, BLKDISCARD = 0x1277;
    private const int SectorBytes = 512;

    private readonly bool _isDevice;

    private ImageFile(FileDescriptor fd, ImageMode mode, bool isDevice, bool isDirect, Libc.Statx status)
    {
        (Descriptor, Mode, _isDevice, IsDirect) = (fd, mode, isDevice, isDirect);
        BlockBytes = isDevice ? DeviceNumber(BLKSSZGET) : isDirect ? Math.Max(SectorBytes, (int)status.DirectOffsetAlignment) : SectorBytes;
        PhysicalBlockBytes = isDevice ? DeviceNumber(BLKPBSZGET) : (int)status.BlockSize;
        CanDiscard = mode != ImageMode.ReadOnly && (isDevice ? DeviceCanDiscard(status) : FileCanDiscard());
    }

    /// <summary>How it was opened.</summary>
    public ImageMode Mode { get; }

    /// <summary>Whether the page cache is left out: then addresses, offsets and lengths are whole blocks.</summary>
    public bool IsDirect { get; }

    /// <summary>Bytes of a block, of which requests must have whole ones.</summary>
    public int BlockBytes { get; }

    /// <summary>Bytes that the medium writes at once, as far as it says so.</summary>
    public int PhysicalBlockBytes { get; }

    /// <summary>Whether <see cref="Discard"/> gives room back.</summary>
    public bool CanDiscard { get; }

    internal int Number => Descriptor.Number;

    private FileDescriptor Descriptor { get; }

    /// <summary>Opens a file or a block device.</summary>
    /// <exception cref="NativeException">As open(2) says.</exception>
    /// <exception cref="InvalidDataException">It is neither.</exception>
    public static ImageFile Open(string path, ImageMode mode)
    {
        int flags = Libc.O_CLOEXEC | (mode == ImageMode.ReadOnly ? 0 : Libc.O_RDWR) | (mode == ImageMode.Durable ? Libc.O_DSYNC : 0);
        // Not every file system has direct I/O (tmpfs has not): then it is durable all the same, through the page cache.
        bool direct = mode != ImageMode.Cached;
        int number = direct ? Libc.open(path, flags | Libc.O_DIRECT, 0) : -1;
        if (direct && number < 0 && Libc.LastError == Libc.EINVAL)
            direct = false;
        if (!direct)
            number = Libc.open(path, flags, 0);
        var fd = new FileDescriptor(Libc.Check(number, $"open {path}"));
        try
        {
            Libc.Statx status;
            Libc.Check(Libc.statx(fd.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS | Libc.STATX_DIOALIGN, &status), $"stat {path}");
            int kind = status.Mode & Libc.S_IFMT;
            if (kind is not (Libc.S_IFREG or Libc.S_IFBLK))
                throw new InvalidDataException("it is neither a file nor a block device");
            return new ImageFile(fd, mode, kind == Libc.S_IFBLK, direct, status);
        }
        catch
        {
            fd.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Takes the image for this open file alone (readers share it), as long as it or a duplicate is open: until then no other
    /// lock of this kind, nor one of QEMU's, is to be had. A process that dies holds it until the last of its writes is done.
    /// </summary>
    /// <returns>False if somebody has it.</returns>
    /// <exception cref="NativeException">The file system has no such locks.</exception>
    public bool TryLock()
    {
        // struct flock: type, whence, start, length (0: to the end), pid (0).
        byte* request = stackalloc byte[32];
        new Span<byte>(request, 32).Clear();
        BinaryPrimitives.WriteInt16LittleEndian(new Span<byte>(request, 2), Mode == ImageMode.ReadOnly ? Libc.F_RDLCK : Libc.F_WRLCK);
        if (Libc.fcntl(Descriptor.Number, Libc.F_OFD_SETLK, (nint)request) == 0)
            return true;
        return Libc.LastError is Libc.EAGAIN or Libc.EACCES or Libc.EINTR ? false : throw new NativeException("lock the image", Libc.LastError);
    }

    /// <summary>Its bytes, as of now.</summary>
    /// <exception cref="NativeException">It cannot be told.</exception>
    public ulong Size()
    {
        if (_isDevice)
        {
            ulong bytes;
            Libc.Check(Libc.ioctl(Descriptor.Number, BLKGETSIZE64, (nint)(&bytes)), "ask for the device's size");
            return bytes;
        }
        Libc.Statx status;
        Libc.Check(Libc.statx(Descriptor.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &status), "ask for the file's size");
        return status.Size;
    }

    /// <summary>Fills all of <paramref name="to"/>.</summary>
    /// <returns>An errno; EIO, too, if the medium ends before.</returns>
    public int Read(Span<byte> to, long offset)
    {
        fixed (byte* p = to)
        {
            for (int done = 0; done < to.Length;)
            {
                nint got = Libc.pread(Descriptor.Number, p + done, (nuint)(to.Length - done), offset + done);
                if (got > 0)
                    done += (int)got;
                else if (got == 0)
                    return Libc.EIO;
                else if (Libc.LastError != Libc.EINTR)
                    return Libc.LastError;
            }
        }
        return 0;
    }

    /// <summary>Writes all of <paramref name="from"/>.</summary>
    /// <returns>An errno.</returns>
    public int Write(ReadOnlySpan<byte> from, long offset)
    {
        fixed (byte* p = from)
        {
            for (int done = 0; done < from.Length;)
            {
                nint put = Libc.pwrite(Descriptor.Number, p + done, (nuint)(from.Length - done), offset + done);
                if (put > 0)
                    done += (int)put;
                else if (put == 0)
                    return Libc.EIO;
                else if (Libc.LastError != Libc.EINTR)
                    return Libc.LastError;
            }
        }
        return 0;
    }

    /// <summary>Puts all that was written onto the medium.</summary>
    /// <returns>An errno. One error is told once, as the kernel tells it.</returns>
    public int Flush() => Result(Libc.fdatasync(Descriptor.Number));

    /// <summary>Gives room back. What is read there afterwards is zeros, from a file.</summary>
    /// <returns>An errno.</returns>
    public int Discard(long offset, long length)
    {
        if (!_isDevice)
            return PunchHole(offset, length);
        long* range = stackalloc long[2] { offset, length };
        return Result(Libc.ioctl(Descriptor.Number, BLKDISCARD, (nint)range));
    }

    /// <summary>Makes bytes read as zeros, without writing them if the medium knows how.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="length">How many: whole blocks.</param>
    /// <param name="unmap">Whether room may be given back.</param>
    /// <param name="zeros">Zeros to write where nothing better is known: whole blocks.</param>
    /// <returns>An errno.</returns>
    public int WriteZeroes(long offset, long length, bool unmap, ReadOnlySpan<byte> zeros)
    {
        int error = unmap ? PunchHole(offset, length) : Libc.EOPNOTSUPP;
        if (error == Libc.EOPNOTSUPP)
            error = Result(Libc.fallocate(Descriptor.Number, Libc.FALLOC_FL_ZERO_RANGE | Libc.FALLOC_FL_KEEP_SIZE, offset, length));
        if (error != Libc.EOPNOTSUPP)
            return error;
        for (error = 0; length > 0 && error == 0;)
        {
            var piece = zeros[..(int)Math.Min(zeros.Length, length)];
            error = Write(piece, offset);
            (offset, length) = (offset + piece.Length, length - piece.Length);
        }
        return error;
    }

    /// <summary>The part of a pinned array that begins at a multiple of <paramref name="alignment"/>, as direct I/O wants it.</summary>
    public static Span<byte> Aligned(byte[] pinned, int alignment)
    {
        nuint start = (nuint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref pinned[0]);
        return pinned.AsSpan((int)((nuint)alignment - start % (nuint)alignment) % alignment);
    }

    /// <summary>An errno in words.</summary>
    public static string Describe(int error) => new NativeException("", error).Reason;

    /// <summary>Whether an errno says that there is no room left (ENOSPC, EDQUOT).</summary>
    public static bool IsFull(int error) => error is Libc.ENOSPC or Libc.EDQUOT;

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    private int PunchHole(long offset, long length) =>
        Result(Libc.fallocate(Descriptor.Number, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset, length));

    /// <summary>A hole behind the end changes nothing, and tells whether holes can be made.</summary>
    private bool FileCanDiscard() => PunchHole((long)(Size() + SectorBytes - 1) / SectorBytes * SectorBytes, SectorBytes) == 0;

    private static bool DeviceCanDiscard(Libc.Statx status)
    {
        string most = $"/sys/dev/block/{status.OwnMajor}:{status.OwnMinor}/queue/discard_max_bytes";
        // A partition's queue is the whole disk's.
        if (!File.Exists(most))
            most = $"/sys/dev/block/{status.OwnMajor}:{status.OwnMinor}/../queue/discard_max_bytes";
        return File.Exists(most) && File.ReadAllText(most).Trim() != "0";
    }

    private int DeviceNumber(nuint request)
    {
        int number;
        Libc.Check(Libc.ioctl(Descriptor.Number, request, (nint)(&number)), "ask for the device's block size");
        return number;
    }

    private static int Result(int returned) => returned == 0 ? 0 : Libc.LastError;
}
