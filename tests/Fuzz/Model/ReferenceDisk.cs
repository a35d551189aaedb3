using System.Buffers.Binary;
using System.Text;

namespace InterGuest.Fuzz.Model;

/// <summary>What an announcement says, written down from docs/block-serving.md, section 3.</summary>
internal sealed record ReferenceDisk(
    uint Version, uint Flags, ulong Capacity, ulong Cache, uint BlockSize, int Exponent, uint MaxData, uint MaxDiscard, uint MaxZeroes, string Id)
{
    public const int Bytes = 72;

    private const int ReadOnlyFlag = 1, CachedFlag = 2, DiscardFlag = 4, ZeroesFlag = 8;

    public bool IsReadOnly => (Flags & ReadOnlyFlag) != 0;

    public bool IsCached => (Flags & CachedFlag) != 0;

    public uint BlockSectors => BlockSize / 512;

    /// <summary>Whether every field can be right.</summary>
    public bool IsPossible =>
        Version == 1
        && BlockSize is 512 or 1024 or 2048 or 4096
        && Capacity <= 1UL << 54 && Capacity % BlockSectors == 0
        && Exponent <= 16
        && MaxData is >= 4096 and <= 16777216 && MaxData % BlockSize == 0
        && (!Serves(DiscardFlag) || MaxDiscard >= BlockSectors)
        && (!Serves(ZeroesFlag) || MaxZeroes >= BlockSectors)
        && Id.All(c => c is >= (char)32 and < (char)127);

    /// <summary>Reads the bytes behind a message's header.</summary>
    public static ReferenceDisk Read(ReadOnlySpan<byte> data) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(data), BinaryPrimitives.ReadUInt32LittleEndian(data[4..]),
        BinaryPrimitives.ReadUInt64LittleEndian(data[8..]), BinaryPrimitives.ReadUInt64LittleEndian(data[16..]),
        BinaryPrimitives.ReadUInt32LittleEndian(data[24..]), data[28],
        BinaryPrimitives.ReadUInt32LittleEndian(data[36..]), BinaryPrimitives.ReadUInt32LittleEndian(data[40..]), BinaryPrimitives.ReadUInt32LittleEndian(data[48..]),
        Encoding.Latin1.GetString(data.Slice(52, 20)).TrimEnd('\0'));

    /// <summary>Writes them. What it does not know is 0.</summary>
    public byte[] Write()
    {
        byte[] data = new byte[Bytes];
        BinaryPrimitives.WriteUInt32LittleEndian(data, Version);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(4), Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(8), Capacity);
        BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(16), Cache);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(24), BlockSize);
        data[28] = (byte)Exponent;
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(36), MaxData);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(40), MaxDiscard);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(48), MaxZeroes);
        Encoding.Latin1.GetBytes(Id.AsSpan(0, Math.Min(20, Id.Length)), data.AsSpan(52));
        return data;
    }

    /// <summary>The answer to GET_ID.</summary>
    public byte[] IdBytes => [.. Encoding.Latin1.GetBytes(Id), .. new byte[20 - Id.Length]];

    /// <summary>Whether this may follow another one while clients use the disk.</summary>
    public bool MayFollow(ReferenceDisk before) =>
        Id == before.Id && BlockSize == before.BlockSize && Flags == before.Flags && Capacity >= before.Capacity;

    /// <summary>Whether DISCARD (11) or WRITE_ZEROES (13) is served.</summary>
    public bool ServesOperation(uint operation) => Serves(operation == 11 ? DiscardFlag : ZeroesFlag);

    /// <summary>Most sectors of one of their ranges.</summary>
    public uint MostSectors(uint operation) => operation == 11 ? MaxDiscard : MaxZeroes;

    public bool Has(ulong sector, ulong sectors) => sector <= Capacity && sectors <= Capacity - sector;

    private bool Serves(int flag) => (Flags & flag) != 0;
}
