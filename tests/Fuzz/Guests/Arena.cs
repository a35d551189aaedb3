using InterGuest.Fuzz.Engine;
using InterGuest.Virtio.Memory;

namespace InterGuest.Fuzz.Guests;

/// <summary>A part of a chain: where it is in the memory file.</summary>
internal readonly record struct Piece(int Offset, int Length);

/// <summary>
/// A guest's memory for one case after the other: regions of one file, with bytes between them that are in no region. What
/// every byte of the file must be is kept beside it, so that a byte that changes anywhere is seen.
/// </summary>
internal sealed class Arena : IDisposable
{
    private const ulong Base = 0x7000_0000_0000;

    private readonly DriverMemory _file;
    private readonly byte[] _fresh;
    private readonly List<RegionLayout> _regions = [];
    private readonly HashSet<(int Offset, byte Value)> _loose = [];
    private readonly HashSet<int> _written = [];

    public Arena(int bytes)
    {
        Bytes = bytes;
        _file = new DriverMemory(bytes, Base);
        _fresh = new byte[bytes];
        new Random(bytes).NextBytes(_fresh);
        Expected = new byte[bytes];
    }

    /// <summary>Bytes of the file.</summary>
    public int Bytes { get; }

    /// <summary>What the file must hold.</summary>
    public byte[] Expected { get; }

    /// <summary>What it holds.</summary>
    public Span<byte> Actual => _file.At(Base, Bytes);

    /// <summary>The regions, in no order.</summary>
    public IReadOnlyList<RegionLayout> Regions => _regions;

    /// <summary>The device's view, held by the arena.</summary>
    public GuestMemory Memory { get; private set; } = GuestMemory.Empty;

    /// <summary>Whether the device may write in another order than the model: what it writes twice before a check may be either.</summary>
    public bool InAnyOrder { get; init; }

    /// <summary>Begins a case: no regions, and bytes as at the beginning.</summary>
    public void Reset()
    {
        Memory.Release();
        Memory = GuestMemory.Empty;
        _regions.Clear();
        _loose.Clear();
        _written.Clear();
        _fresh.CopyTo(Expected, 0);
        _fresh.CopyTo(Actual);
    }

    /// <summary>Adds a region; false if the table does not take it.</summary>
    public bool TryAdd(RegionLayout region)
    {
        if (Memory.TryAdd(region, _file.File, out _) is not { } next)
            return false;
        Memory.Release();
        Memory = next;
        _regions.Add(region);
        return true;
    }

    /// <summary>Where in the file a guest address is, and how many bytes follow in its region; -1 if it is in none. Looks at every region.</summary>
    public (int Offset, int Available) Find(ulong guestAddress)
    {
        foreach (var region in _regions)
            if (guestAddress >= region.GuestAddress && guestAddress - region.GuestAddress < region.Size)
                return ((int)(region.FileOffset + (guestAddress - region.GuestAddress)), (int)(region.Size - (guestAddress - region.GuestAddress)));
        return (-1, 0);
    }

    /// <summary>Where in the file an area is that the front-end names by its own address; -1 unless one region has all of it.</summary>
    public int FindUser(ulong userAddress, int length)
    {
        foreach (var region in _regions)
            if (userAddress >= region.UserAddress && userAddress - region.UserAddress < region.Size)
                return (ulong)length <= region.Size - (userAddress - region.UserAddress) ? (int)(region.FileOffset + (userAddress - region.UserAddress)) : -1;
        return -1;
    }

    /// <summary>The guest writes into its memory.</summary>
    public void Store(int offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Expected.AsSpan(offset));
        bytes.CopyTo(Actual[offset..]);
    }

    /// <summary>The guest writes at a guest address; bytes that fall into no region are not written.</summary>
    public void StoreAt(ulong guestAddress, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            if (Find(guestAddress + (uint)i).Offset is >= 0 and var offset)
                Store(offset, bytes.Slice(i, 1));
    }

    /// <summary>The device writes, as the model says: piece after piece.</summary>
    public void Write(IEnumerable<Piece> pieces, ReadOnlySpan<byte> bytes) => WriteBehind(pieces, 0, bytes);

    /// <summary>The same, behind the first bytes of the pieces.</summary>
    public void WriteBehind(IEnumerable<Piece> pieces, int skip, ReadOnlySpan<byte> bytes)
    {
        foreach (var piece in pieces)
        {
            int skipped = Math.Min(skip, piece.Length), here = Math.Min(piece.Length - skipped, bytes.Length);
            int offset = piece.Offset + skipped;
            for (int i = offset; i < offset + here && InAnyOrder; i++)
                if (!_written.Add(i))
                    _loose.Add((i, Expected[i]));
            bytes[..here].CopyTo(Expected.AsSpan(offset));
            skip -= skipped;
            bytes = bytes[here..];
        }
    }

    /// <summary>
    /// The device may write, or not: the bytes have been offered to it, so that they may be what it wrote or what they were
    /// before. What they are is seen at the next check.
    /// </summary>
    public void MayWrite(IEnumerable<Piece> pieces, ReadOnlySpan<byte> bytes)
    {
        foreach (var piece in pieces)
        {
            int here = Math.Min(piece.Length, bytes.Length);
            for (int i = 0; i < here; i++)
            {
                _loose.Add((piece.Offset + i, Expected[piece.Offset + i]));
                _loose.Add((piece.Offset + i, bytes[i]));
            }
            bytes[..here].CopyTo(Expected.AsSpan(piece.Offset));
            bytes = bytes[here..];
        }
    }

    /// <summary>Looks at every byte.</summary>
    /// <param name="after">What was done last.</param>
    public void Check(string after)
    {
        int at = Actual.CommonPrefixLength(Expected);
        for (; at < Bytes && _loose.Contains((at, Actual[at])); at += Actual[at..].CommonPrefixLength(Expected.AsSpan(at)))
            Expected[at] = Actual[at];
        _loose.Clear();
        _written.Clear();
        if (at < Bytes)
            throw new FuzzException($"after {after}, byte {at} of the memory file is 0x{Actual[at]:x2} and should be 0x{Expected[at]:x2}; it {Name(at)}");
    }

    public void Dispose()
    {
        Memory.Release();
        _file.Dispose();
    }

    private string Name(int offset)
    {
        foreach (var region in _regions)
            if ((ulong)offset >= region.FileOffset && (ulong)offset - region.FileOffset < region.Size)
                return $"has guest address 0x{region.GuestAddress + (ulong)offset - region.FileOffset:x}";
        return "is in no region";
    }
}
