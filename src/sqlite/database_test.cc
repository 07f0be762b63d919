#include "sqlite/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file_system.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"

namespace candor::sqlite {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto db = Database::open(folder_ / "state.db");
    ASSERT_OK(db);
    db_.emplace(*std::move(db));
    ASSERT_OK(
        db_->execute("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)"));
  }
  std::int64_t count() {
    auto statement = *db_->prepare("SELECT count(*) FROM item");
    EXPECT_TRUE(*statement.step());
    return statement.integer(0);
  }

  TemporaryFolder folder_;
  std::optional<Database> db_;
};

TEST_F(DatabaseTest, WhatIsBoundIsReadBack) {
  auto insert = *db_->prepare("INSERT INTO item(name, data) VALUES(?1, ?2)");
  const Bytes data = {std::byte{0}, std::byte{255}};
  ASSERT_OK(insert.bind_all("it's", ByteView(data)));
  ASSERT_OK(insert.run());
  EXPECT_EQ(db_->last_insert_id(), 1);
  insert.reset();
  ASSERT_OK(insert.bind_all(std::string_view(), ByteView()));
  ASSERT_OK(insert.run());
  insert.reset();
  ASSERT_OK(insert.bind_all(std::nullopt, std::nullopt));
  ASSERT_OK(insert.run());

  auto select = *db_->prepare("SELECT id, name, data FROM item ORDER BY id");
  ASSERT_TRUE(*select.step());
  EXPECT_EQ(select.integer(0), 1);
  EXPECT_EQ(select.text(1), "it's");
  EXPECT_EQ(to_bytes(select.blob(2)), data);
  ASSERT_TRUE(*select.step());
  EXPECT_FALSE(select.is_null(1));
  EXPECT_EQ(select.text(1), "");
  EXPECT_FALSE(select.is_null(2));
  ASSERT_TRUE(*select.step());
  EXPECT_TRUE(select.is_null(1));
  EXPECT_FALSE(*select.step());
  EXPECT_TRUE(*select.step());  // done means ready for the next run
}

TEST_F(DatabaseTest, ATransactionNotCommittedLeavesNothing) {
  {
    auto transaction = Transaction::begin(*db_);
    ASSERT_OK(transaction);
    ASSERT_OK(db_->execute("INSERT INTO item(name) VALUES('a')"));
  }
  EXPECT_EQ(count(), 0);
  {
    auto transaction = *Transaction::begin(*db_);
    ASSERT_OK(db_->execute("INSERT INTO item(name) VALUES('a')"));
    ASSERT_OK(transaction.commit());
  }
  EXPECT_EQ(count(), 1);
  EXPECT_EQ(db_->changed_rows(), 1);
}

TEST_F(DatabaseTest, ErrorsHaveTheirCodes) {
  ASSERT_OK(db_->execute("INSERT INTO item(name) VALUES('a')"));
  EXPECT_THAT(db_->execute("INSERT INTO item(name) VALUES('a')"),
              HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(db_->prepare("SELEC"), HasCode(Code::kInternal));
  auto statement = *db_->prepare("SELECT ?1");
  EXPECT_THAT(statement.bind(2, 5), HasCode(Code::kInternal));
  EXPECT_THAT(Database::open(folder_ / "none/state.db"), HasCode(Code::kPermissionDenied));
}

TEST_F(DatabaseTest, ABoundValueIsInNoErrorMessage) {
  auto insert = *db_->prepare("INSERT INTO item(name) VALUES(?1)");
  ASSERT_OK(insert.bind_all("secret-value"));
  ASSERT_OK(insert.run());
  const auto again = insert.run();
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message(), Not(HasSubstr("secret-value")));
}

TEST_F(DatabaseTest, AFileThatIsNoDatabaseIsDataLoss) {
  const std::string junk(8'192, 'x');
  ASSERT_OK(write_file_atomically(real_file_system(), folder_ / "junk.db", as_bytes(junk)));
  EXPECT_THAT(Database::open(folder_ / "junk.db"), HasCode(Code::kDataLoss));
}

TEST_F(DatabaseTest, TheFileIsPrivateAndKeepsItsVersion) {
  struct stat info{};
  ASSERT_EQ(::stat((folder_ / "state.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(*db_->user_version(), 0);
  ASSERT_OK(db_->set_user_version(3));
  EXPECT_OK(db_->check_integrity());
  db_.reset();
  EXPECT_EQ(*Database::open(folder_ / "state.db")->user_version(), 3);
}

TEST_F(DatabaseTest, S3_DeletedValuesAreInNoFileAfterACheckpoint) {
  const std::string name = "a-name-that-must-go-away";
  auto insert = *db_->prepare("INSERT INTO item(name) VALUES(?1)");
  ASSERT_OK(insert.bind_all(std::string_view(name)));
  ASSERT_OK(insert.run());
  ASSERT_OK(db_->checkpoint());
  const auto in_files = [&] {
    for (const auto& file : *real_file_system().list(folder_.path())) {
      const auto bytes = *read_file(real_file_system(), folder_ / file, 1U << 24U);
      if (as_text(bytes).find(name) != std::string_view::npos) return true;
    }
    return false;
  };
  ASSERT_TRUE(in_files());
  ASSERT_OK(db_->execute("DELETE FROM item"));
  ASSERT_OK(db_->checkpoint());
  EXPECT_FALSE(in_files());
}

TEST_F(DatabaseTest, TwoConnectionsSeeEachOthersCommits) {
  auto other = Database::open(folder_ / "state.db");
  ASSERT_OK(other);
  ASSERT_OK(other->execute("INSERT INTO item(name) VALUES('from the other')"));
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace candor::sqlite
